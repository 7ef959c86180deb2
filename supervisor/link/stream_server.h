// The gRPC server of all Attach streams, and the threads that serve them. It
// listens nowhere: connections are given to it.
//
// Owned by the LinkServer, together with the sockets, which may still accept
// while it is taken down.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "plugin_supervisor/v1/worker_link.grpc.pb.h"
#include "supervisor/link/launch_register.h"
#include "supervisor/link/link_server.h"
#include "supervisor/rpc/live_calls.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::link {

class StreamServer {
 public:
  /// Throws std::runtime_error when gRPC cannot start.
  StreamServer(std::shared_ptr<LaunchRegister> launches, const LinkOptions& options);
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;
  ~StreamServer();

  /// Serves `connection`, whose peer was checked. Closed once the server ends.
  void take(sys::UniqueFd connection);

  /// Ends every stream; returns when gRPC has let go of all.
  void shut_down();

 private:
  void serve(grpc::ServerCompletionQueue& queue);

  const std::shared_ptr<LaunchRegister> launches_;
  rpc::LiveCalls live_;
  v1::WorkerLink::AsyncService service_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace supervisor::link
