// The Workers service: what the processes are and what they print.
#pragma once

#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/lifecycle/plugin_registry.h"

namespace supervisor::services {

class WorkersService final : public v1::Workers::CallbackService {
 public:
  WorkersService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry)
      : context_(context), registry_(registry) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext*, const v1::ListWorkersRequest*,
                                 v1::ListWorkersResponse*) override;
  grpc::ServerWriteReactor<v1::LogLine>* Logs(grpc::CallbackServerContext*,
                                              const v1::LogsRequest*) override;

 private:
  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
};

}  // namespace supervisor::services
