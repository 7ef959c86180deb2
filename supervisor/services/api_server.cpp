#include "supervisor/services/api_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <sys/stat.h>

#include "supervisor/sys/unix_socket.h"

namespace supervisor::services {
namespace {

// gRPC replaces a socket file without asking: a live supervisor must be
// noticed first.
void refuse_if_served(const std::filesystem::path& path) {
  if (path.native().size() > sys::max_socket_path)
    throw std::runtime_error("the socket path " + path.string() + " has " +
                             std::to_string(path.native().size()) + " bytes; at most " +
                             std::to_string(sys::max_socket_path) + " work");
  if (!std::filesystem::exists(path)) return;
  try {
    const auto probe = sys::connect_unix(path);
  } catch (const std::system_error&) {
    return;  // Left over: nobody listens.
  }
  throw std::runtime_error("another supervisor serves " + path.string());
}

}  // namespace

ApiServer::ApiServer(const std::filesystem::path& socket_path, std::size_t max_message_bytes,
                     PluginsService& plugins, WorkersService& workers, WatchService& watch,
                     MetricsService& metrics, JobsService& jobs, AuditService& audit)
    : socket_path_(socket_path) {
  refuse_if_served(socket_path);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_path.string(), grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(static_cast<int>(max_message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(max_message_bytes));
  builder.RegisterService(&health_.grpc_service());
  builder.RegisterService(&plugins.grpc_service());
  builder.RegisterService(&workers.grpc_service());
  builder.RegisterService(&watch.grpc_service());
  builder.RegisterService(&metrics.grpc_service());
  builder.RegisterService(&jobs.grpc_service());
  builder.RegisterService(&audit.grpc_service());
  auto queue = builder.AddCompletionQueue();
  // The socket must not exist for a moment with wider permissions.
  const auto previous = ::umask(0177);
  server_ = builder.BuildAndStart();
  ::umask(previous);
  if (!server_) throw std::runtime_error("cannot serve at " + socket_path.string());
  desk_ = std::make_unique<rpc::CallDesk>(std::move(queue));
  health_.open(*desk_);
  plugins.open(*desk_);
  workers.open(*desk_);
  watch.open(*desk_);
  metrics.open(*desk_);
  jobs.open(*desk_);
  audit.open(*desk_);
}

void ApiServer::start() { desk_->start(); }

ApiServer::~ApiServer() {
  shut_down(std::chrono::system_clock::now());
  std::error_code ignored;
  std::filesystem::remove(socket_path_, ignored);
}

void ApiServer::set_healthy(bool healthy) {
  health_.set("", true);
  health_.set(v1::Plugins::service_full_name(), healthy);
}

void ApiServer::shut_down(std::chrono::system_clock::time_point deadline) {
  server_->Shutdown(deadline);
  desk_->shut_down();
}

}  // namespace supervisor::services
