// The Plugins service: requests onto the registry.
#pragma once

#include "plugin_supervisor/v1/plugins_service.grpc.pb.h"
#include "supervisor/lifecycle/plugin_registry.h"

namespace supervisor::services {

struct PluginsServiceOptions {
  /// How long SetEnabled and Reload wait for workers to settle by default.
  std::chrono::milliseconds settle_wait{60000};
  std::size_t max_params_bytes = 16u << 20;
  std::size_t max_logo_bytes = 4u << 20;
};

class PluginsService final : public v1::Plugins::CallbackService {
 public:
  PluginsService(lifecycle::SupervisionContext& context, lifecycle::PluginRegistry& registry,
                 PluginsServiceOptions options)
      : context_(context), registry_(registry), options_(options) {}

  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext*, const v1::ListPluginsRequest*,
                                 v1::ListPluginsResponse*) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext*, const v1::GetPluginRequest*,
                                v1::Plugin*) override;
  grpc::ServerUnaryReactor* Reload(grpc::CallbackServerContext*, const v1::ReloadRequest*,
                                   v1::ReloadResponse*) override;
  grpc::ServerUnaryReactor* SetEnabled(grpc::CallbackServerContext*, const v1::SetEnabledRequest*,
                                       v1::Plugin*) override;
  grpc::ServerUnaryReactor* SetSettings(grpc::CallbackServerContext*, const v1::SetSettingsRequest*,
                                        v1::SetSettingsResponse*) override;
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext*, const v1::RunRequest*,
                                v1::RunResponse*) override;
  grpc::ServerUnaryReactor* ResolveResource(grpc::CallbackServerContext*,
                                            const v1::ResolveResourceRequest*,
                                            v1::RunResponse*) override;
  grpc::ServerUnaryReactor* GetLogo(grpc::CallbackServerContext*, const v1::GetLogoRequest*,
                                    v1::GetLogoResponse*) override;

 private:
  grpc::ServerUnaryReactor* call(v1::CallKind kind, const std::string& key, const std::string& name,
                                 const std::string& params_json, std::uint32_t deadline_ms,
                                 v1::RunResponse* response);

  lifecycle::SupervisionContext& context_;
  lifecycle::PluginRegistry& registry_;
  const PluginsServiceOptions options_;
};

}  // namespace supervisor::services
