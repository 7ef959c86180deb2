// The Workers service: what the processes are, what they print, what an admin
// does with them.
#pragma once

#include <boost/asio/thread_pool.hpp>

#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/audit/audit_trail.h"
#include "supervisor/lifecycle/plugin_registry.h"
#include "supervisor/rpc/call_desk.h"
#include "supervisor/services/log_reading.h"

namespace supervisor::services {

class WorkersService {
 public:
  /// `settle_wait`: how long Control waits by default. `socket`: that of the API,
  /// which no plugin is to reach.
  WorkersService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry,
                 audit::AuditTrail& trail, std::chrono::milliseconds settle_wait,
                 std::filesystem::path socket)
      : context_(context),
        registry_(registry),
        trail_(trail),
        settle_wait_(settle_wait),
        socket_(std::move(socket)) {}

  ~WorkersService() { looking_.join(); }

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  boost::asio::awaitable<Outcome<v1::ListWorkersResponse>> list();
  boost::asio::awaitable<Outcome<v1::Plugin>> control(v1::Caller caller, v1::ControlRequest wish);
  boost::asio::awaitable<Outcome<v1::WhyResponse>> why(std::string key);
  boost::asio::awaitable<Outcome<v1::DumpStacksResponse>> dump_stacks(std::string key);
  using AttackCall = rpc::UnaryCall<v1::AttackRequest, v1::AttackResponse>;
  void attack(const std::shared_ptr<AttackCall>& call);
  void logs(const std::shared_ptr<LogReading::Call>& call);

  v1::Workers::AsyncService service_;
  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
  audit::AuditTrail& trail_;
  const std::chrono::milliseconds settle_wait_;
  const std::filesystem::path socket_;
  LogReading reading_;
  // Looking at a thousand workers takes a while: not on the core thread.
  boost::asio::thread_pool looking_{1};
};

}  // namespace supervisor::services
