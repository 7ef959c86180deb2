// The Metrics service: everything that can be counted or measured, in the
// Prometheus text format. Looking at a thousand processes takes a while, so it
// happens on a thread of its own.
#pragma once

#include <boost/asio/thread_pool.hpp>

#include "plugin_supervisor/v1/metrics_service.grpc.pb.h"
#include "supervisor/audit/audit_trail.h"
#include "supervisor/lifecycle/plugin_registry.h"
#include "supervisor/metrics/meters.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

class MetricsService {
 public:
  MetricsService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry,
                 const audit::AuditTrail& trail)
      : context_(context), registry_(registry), trail_(trail) {}
  ~MetricsService() { looking_.join(); }

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  [[nodiscard]] std::string text() const;
  void append_workers(metrics::Exposition& out) const;

  v1::Metrics::AsyncService service_;
  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
  const audit::AuditTrail& trail_;
  boost::asio::thread_pool looking_{1};
};

}  // namespace supervisor::services
