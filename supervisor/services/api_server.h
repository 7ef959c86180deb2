// The supervisor's own gRPC server, on a private Unix socket and, where an admin
// wants it, over TCP with mutual TLS: the services for
// the gateway and pluginctl, standard health checking, and reflection. Workers
// never reach it: theirs is the link server, and the ApiSocket refuses them.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>

#include "supervisor/rpc/call_desk.h"
#include "supervisor/rpc/mutual_tls.h"
#include "supervisor/services/api_socket.h"
#include "supervisor/services/audit_service.h"
#include "supervisor/services/health_service.h"
#include "supervisor/services/jobs_service.h"
#include "supervisor/services/metrics_service.h"
#include "supervisor/services/plugins_service.h"
#include "supervisor/services/watch_service.h"
#include "supervisor/services/workers_service.h"

namespace supervisor::services {

class ApiServer {
 public:
  /// Where it is served besides the socket: whoever shows a certificate is let in.
  struct Tcp {
    std::string address;  // HOST:PORT
    rpc::TlsTexts tls;
  };

  /// Listens at `socket_path` for those whom `admission` lets in. Throws
  /// std::runtime_error when the socket or the address is in use or cannot be
  /// had.
  ApiServer(const boost::asio::any_io_executor& executor, const std::filesystem::path& socket_path,
            Admission admission, const std::optional<Tcp>& tcp, std::size_t max_message_bytes,
            PluginsService& plugins, WorkersService& workers, WatchService& watch,
            MetricsService& metrics, JobsService& jobs, AuditService& audit);
  ~ApiServer();

  /// Begins to answer; calls that came before have waited.
  void start();

  /// Of the TCP address, the real one; 0 when there is none.
  [[nodiscard]] int tcp_port() const { return tcp_port_; }

  /// What grpc.health.v1 says of the Plugins service; "" always serves.
  void set_healthy(bool healthy);

  /// Takes no new calls; those under way have until `deadline`. Blocking.
  void shut_down(std::chrono::system_clock::time_point deadline);

 private:
  HealthService health_;
  int tcp_port_ = 0;
  std::unique_ptr<rpc::CallDesk> desk_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<ApiSocket> socket_;
};

}  // namespace supervisor::services
