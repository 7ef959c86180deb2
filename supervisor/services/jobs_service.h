// The Jobs service: runs in the background, and what became of all runs.
#pragma once

#include "plugin_supervisor/v1/jobs_service.grpc.pb.h"
#include "supervisor/audit/audit_trail.h"
#include "supervisor/jobs/job_history.h"
#include "supervisor/lifecycle/plugin_registry.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

class JobsService {
 public:
  /// Params of more than `max_params_bytes` are refused.
  JobsService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry,
              jobs::JobHistory& history, audit::AuditTrail& trail, std::size_t max_params_bytes)
      : context_(context),
        registry_(registry),
        history_(history),
        trail_(trail),
        max_params_bytes_(max_params_bytes) {}

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  using GetCall = rpc::UnaryCall<v1::GetJobRequest, v1::Job>;

  boost::asio::awaitable<Outcome<v1::Job>> start(v1::Caller caller, v1::StartJobRequest wish);
  boost::asio::awaitable<Outcome<v1::Job>> get(std::shared_ptr<GetCall> call);
  boost::asio::awaitable<Outcome<v1::ListJobsResponse>> list(v1::ListJobsRequest wish);
  boost::asio::awaitable<Outcome<v1::Job>> cancel(v1::Caller caller, std::string id);

  v1::Jobs::AsyncService service_;
  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
  jobs::JobHistory& history_;
  audit::AuditTrail& trail_;
  const std::size_t max_params_bytes_;
};

}  // namespace supervisor::services
