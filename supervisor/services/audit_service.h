// The Audit service: the audit trail, to its readers.
#pragma once

#include "plugin_supervisor/v1/audit_service.grpc.pb.h"
#include "supervisor/audit/audit_trail.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

class AuditService {
 public:
  AuditService(boost::asio::any_io_executor core, audit::AuditTrail& trail)
      : core_(std::move(core)), trail_(trail) {}

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  boost::asio::awaitable<Outcome<v1::ListAuditResponse>> list(v1::ListAuditRequest wish);

  v1::Audit::AsyncService service_;
  const boost::asio::any_io_executor core_;
  audit::AuditTrail& trail_;
};

}  // namespace supervisor::services
