#include "supervisor/link/link_server.h"

#include <grpcpp/grpcpp.h>

#include <stdexcept>

#include "plugin_supervisor/v1/worker_link.grpc.pb.h"
#include "supervisor/link/attach_stream.h"
#include "supervisor/link/launch_register.h"
#include "supervisor/link/launch_socket.h"
#include "supervisor/link/stream_link.h"

namespace supervisor::link {
namespace {

class AttachService final : public v1::WorkerLink::CallbackService {
 public:
  explicit AttachService(std::shared_ptr<LaunchRegister> launches)
      : launches_(std::move(launches)) {}

  grpc::ServerBidiReactor<v1::WorkerBatch, v1::SupervisorBatch>* Attach(
      grpc::CallbackServerContext* context) override {
    return AttachStream::begin(launches_, context);
  }

 private:
  const std::shared_ptr<LaunchRegister> launches_;
};

/// The gRPC server and its way in. Shared by the LinkServer with the sockets,
/// which may still accept while it is taken down.
class StreamServer {
 public:
  StreamServer(const std::shared_ptr<LaunchRegister>& launches, const LinkOptions& options)
      : service_(launches) {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
    builder.SetMaxSendMessageSize(-1);
    // A worker that connects and says nothing is let go.
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 4);
    // Unix sockets have no bandwidth to probe; a window of this size keeps
    // large results from stopping and going.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
    acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error("gRPC could not start the server of the worker links");
  }

  void take(sys::UniqueFd connection) {
    const std::lock_guard lock(mutex_);
    if (!server_) return;
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.fd = connection.release();
    acceptor_->HandleNewConnection(&parameters);
  }

  void shut_down() {
    std::unique_ptr<grpc::Server> server;
    {
      const std::lock_guard lock(mutex_);
      server = std::move(server_);
    }
    if (!server) return;
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    server->Wait();
  }

 private:
  AttachService service_;
  std::mutex mutex_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

class LaunchExpectation final : public LinkServer::Expectation {
 public:
  LaunchExpectation(std::shared_ptr<LaunchRegister> launches, std::shared_ptr<StreamLink> link,
                    std::shared_ptr<LaunchSocket> socket)
      : launches_(std::move(launches)), link_(std::move(link)), socket_(std::move(socket)) {}
  LaunchExpectation(const LaunchExpectation&) = delete;
  LaunchExpectation& operator=(const LaunchExpectation&) = delete;
  ~LaunchExpectation() override {
    launches_->remove(*link_);
    socket_->close();
  }

  [[nodiscard]] const std::filesystem::path& socket_path() const override {
    return socket_->path();
  }
  void set_pid(pid_t pid) override { socket_->set_pid(pid); }
  [[nodiscard]] std::shared_ptr<WorkerLink> link() const override { return link_; }

 private:
  const std::shared_ptr<LaunchRegister> launches_;
  const std::shared_ptr<StreamLink> link_;
  const std::shared_ptr<LaunchSocket> socket_;
};

}  // namespace

struct LinkServer::Impl {
  Impl(boost::asio::any_io_executor on, LinkOptions given)
      : executor(std::move(on)),
        options(given),
        sweep(std::make_shared<DeadlineSweep>(executor)),
        launches(std::make_shared<LaunchRegister>(sweep)),
        streams(std::make_shared<StreamServer>(launches, options)) {}

  boost::asio::any_io_executor executor;
  LinkOptions options;
  std::shared_ptr<DeadlineSweep> sweep;
  std::shared_ptr<LaunchRegister> launches;
  std::shared_ptr<StreamServer> streams;
};

LinkServer::LinkServer(boost::asio::any_io_executor executor, LinkOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), options)) {}

LinkServer::~LinkServer() {
  const auto why = make_failure(v1::REASON_SHUTTING_DOWN, "link", "The supervisor is ending.");
  for (const auto& link : impl_->launches->links()) link->close(why);
  impl_->streams->shut_down();
  impl_->sweep->end();
}

std::unique_ptr<LinkServer::Expectation> LinkServer::expect(LaunchId launch,
                                                            std::filesystem::path socket_path,
                                                            std::string token, LinkEvents events) {
  auto link = std::make_shared<StreamLink>(std::move(launch), std::move(events), impl_->options,
                                           impl_->sweep);
  auto socket = std::make_shared<LaunchSocket>(
      impl_->executor, std::move(socket_path),
      [streams = impl_->streams](sys::UniqueFd fd) { streams->take(std::move(fd)); });
  impl_->sweep->watch(link);
  impl_->launches->add(link, std::move(token));
  socket->open();
  return std::make_unique<LaunchExpectation>(impl_->launches, std::move(link), std::move(socket));
}

}  // namespace supervisor::link
