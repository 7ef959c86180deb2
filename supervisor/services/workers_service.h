// The Workers service: what the processes are and what they print.
#pragma once

#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/lifecycle/plugin_registry.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

class WorkersService {
 public:
  WorkersService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry)
      : context_(context), registry_(registry) {}

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  using LogsCall = rpc::StreamCall<v1::LogsRequest, v1::LogLine>;

  void logs(const std::shared_ptr<LogsCall>& call);

  v1::Workers::AsyncService service_;
  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
};

}  // namespace supervisor::services
