// The Plugins service: requests onto the registry.
#pragma once

#include "plugin_supervisor/v1/plugins_service.grpc.pb.h"
#include "supervisor/audit/audit_trail.h"
#include "supervisor/lifecycle/plugin_registry.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

struct PluginsServiceOptions {
  /// How long SetEnabled and Reload wait for workers to settle by default.
  std::chrono::milliseconds settle_wait{60000};
  std::size_t max_params_bytes = 16u << 20;
  std::size_t max_logo_bytes = 4u << 20;
};

class PluginsService {
 public:
  PluginsService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry,
                 audit::AuditTrail& trail, PluginsServiceOptions options)
      : context_(context), registry_(registry), trail_(trail), options_(options) {}

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  using RunCall = rpc::UnaryCall<v1::RunRequest, v1::RunResponse>;
  using ResolveCall = rpc::UnaryCall<v1::ResolveResourceRequest, v1::RunResponse>;

  void run(const std::shared_ptr<RunCall>& call);
  void resolve(const std::shared_ptr<ResolveCall>& call);
  template <typename Call>
  std::shared_ptr<lifecycle::PluginSupervision> called_plugin(Call& call,
                                                              const std::string& name) const;
  template <typename Call>
  void invoke(const std::shared_ptr<Call>& call, lifecycle::PluginSupervision& plugin,
              link::WorkerLink::Call&& run, link::WorkerLink::Done done);

  boost::asio::awaitable<Outcome<v1::ListPluginsResponse>> list();
  boost::asio::awaitable<Outcome<v1::Plugin>> get(std::string key);
  boost::asio::awaitable<Outcome<v1::ReloadResponse>> reload(v1::Caller caller, std::string key);
  boost::asio::awaitable<Outcome<v1::Plugin>> set_enabled(v1::Caller caller,
                                                          v1::SetEnabledRequest wish);
  boost::asio::awaitable<Outcome<v1::SetSettingsResponse>> set_settings(
      v1::Caller caller, v1::SetSettingsRequest wish);
  boost::asio::awaitable<Outcome<v1::Plugin>> set_options(v1::Caller caller,
                                                          v1::SetOptionsRequest wish);
  boost::asio::awaitable<Outcome<v1::Plugin>> set_grant(v1::Caller caller,
                                                        v1::SetGrantRequest wish);
  boost::asio::awaitable<Outcome<v1::GetLogoResponse>> logo(std::string key);

  v1::Plugins::AsyncService service_;
  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
  audit::AuditTrail& trail_;
  const PluginsServiceOptions options_;
};

}  // namespace supervisor::services
