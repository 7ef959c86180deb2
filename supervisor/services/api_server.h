// The supervisor's own gRPC server, on a private Unix socket: the services for
// the gateway and pluginctl, standard health checking, and reflection. Workers
// never reach it: theirs is the link server.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <memory>

#include "supervisor/rpc/call_desk.h"
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
  /// Listens at `socket_path`, mode 0600. Throws std::runtime_error when the
  /// socket is in use or cannot be made.
  ApiServer(const std::filesystem::path& socket_path, std::size_t max_message_bytes,
            PluginsService& plugins, WorkersService& workers, WatchService& watch,
            MetricsService& metrics, JobsService& jobs, AuditService& audit);
  ~ApiServer();

  /// Begins to answer; calls that came before have waited.
  void start();

  /// What grpc.health.v1 says of the Plugins service; "" always serves.
  void set_healthy(bool healthy);

  /// Takes no new calls; those under way have until `deadline`. Blocking.
  void shut_down(std::chrono::system_clock::time_point deadline);

 private:
  std::filesystem::path socket_path_;
  HealthService health_;
  std::unique_ptr<rpc::CallDesk> desk_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace supervisor::services
