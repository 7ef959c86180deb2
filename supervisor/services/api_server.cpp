#include "supervisor/services/api_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>

namespace supervisor::services {

ApiServer::ApiServer(const boost::asio::any_io_executor& executor,
                     const std::filesystem::path& socket_path, Admission admission,
                     const std::optional<Tcp>& tcp, std::size_t max_message_bytes,
                     PluginsService& plugins, WorkersService& workers, WatchService& watch,
                     MetricsService& metrics, JobsService& jobs, AuditService& audit) {
  socket_ = std::make_shared<ApiSocket>(
      executor, socket_path, std::move(admission), [this](sys::UniqueFd connection) {
        using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
        Acceptor::NewConnectionParameters parameters;
        parameters.fd = connection.release();
        acceptor_->HandleNewConnection(&parameters);
      });
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
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
  if (tcp) {
    // A port that another process serves must be an error.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
    builder.AddListeningPort(tcp->address, rpc::server_credentials(tcp->tls), &tcp_port_);
  }
  server_ = builder.BuildAndStart();
  if (tcp && (!server_ || tcp_port_ <= 0))
    throw std::runtime_error("cannot listen on " + tcp->address +
                             ": it is in use, or the certificate and its key do not fit");
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

void ApiServer::start() {
  desk_->start();
  socket_->open();
}

ApiServer::~ApiServer() { shut_down(std::chrono::system_clock::now()); }

void ApiServer::set_healthy(bool healthy) {
  health_.set("", true);
  health_.set(v1::Plugins::service_full_name(), healthy);
}

void ApiServer::shut_down(std::chrono::system_clock::time_point deadline) {
  socket_->close();
  server_->Shutdown(deadline);
  desk_->shut_down();
}

}  // namespace supervisor::services
