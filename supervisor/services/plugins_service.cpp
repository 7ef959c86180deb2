#include "supervisor/services/plugins_service.h"

#include "supervisor/services/core_call.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::services {

namespace asio = boost::asio;

namespace {

Failure unknown_plugin(const std::string& key) {
  return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup", "There is no plugin '" + key + "'.",
                      "List the plugins to see their keys; reload if it was just added.", key);
}

// One call on its way to a plugin and back. Deletes itself when gRPC is done
// with it. The answer may come on another thread before invoke() returns, and
// the caller may hang up at any time: both meet in `Progress`, which outlives
// this object.
class RunCall final : public grpc::ServerUnaryReactor {
 public:
  explicit RunCall(v1::RunResponse* response) : response_(response) {}

  void begin(lifecycle::PluginSupervision& plugin, v1::CallKind kind, const std::string& name,
             const std::string& params_json, std::chrono::milliseconds timeout) {
    const auto progress = progress_;
    auto handle =
        plugin.invoke(kind, name, params_json.empty() ? "{}" : params_json, timeout,
                      [this](Outcome<std::string> outcome) { settle(std::move(outcome)); });
    // `this` may be gone by now.
    bool hung_up = false;
    {
      const std::lock_guard lock(progress->mutex);
      progress->handle = handle;
      hung_up = progress->hung_up;
    }
    if (hung_up) give_up(handle);
  }

  void refuse(const Failure& failure) { Finish(to_status(failure)); }

 private:
  struct Progress {
    std::mutex mutex;
    lifecycle::PluginSupervision::CallHandle handle;
    bool hung_up = false;
  };

  static void give_up(const lifecycle::PluginSupervision::CallHandle& handle) {
    if (const auto link = handle.link.lock())
      link->abandon(handle.id, make_failure(v1::REASON_CANCELLED, "run", "The caller hung up."));
  }

  void settle(Outcome<std::string> outcome) {
    if (outcome.has_value()) {
      response_->set_result_json(std::move(outcome.value()));
      Finish(grpc::Status::OK);
    } else {
      Finish(to_status(outcome.error()));
    }
  }

  void OnCancel() override {
    lifecycle::PluginSupervision::CallHandle handle;
    {
      const std::lock_guard lock(progress_->mutex);
      progress_->hung_up = true;
      handle = progress_->handle;
    }
    give_up(handle);
  }

  void OnDone() override { delete this; }

  v1::RunResponse* response_;
  const std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();
};

}  // namespace

grpc::ServerUnaryReactor* PluginsService::List(grpc::CallbackServerContext* context,
                                               const v1::ListPluginsRequest*,
                                               v1::ListPluginsResponse* response) {
  return on_core(context_.core, context, response,
                 [this]() -> asio::awaitable<Outcome<v1::ListPluginsResponse>> {
                   // A database that is away must not take the list with it.
                   co_await registry_.refresh(false);
                   v1::ListPluginsResponse list;
                   for (const auto& plugin : registry_.list())
                     *list.add_plugins() = plugin->snapshot();
                   co_return list;
                 });
}

grpc::ServerUnaryReactor* PluginsService::Get(grpc::CallbackServerContext* context,
                                              const v1::GetPluginRequest* request,
                                              v1::Plugin* response) {
  return on_core(context_.core, context, response,
                 [this, key = request->key()]() -> asio::awaitable<Outcome<v1::Plugin>> {
                   co_await registry_.refresh(false);
                   const auto plugin = registry_.find(key);
                   if (!plugin) co_return unknown_plugin(key);
                   co_return plugin->snapshot();
                 });
}

grpc::ServerUnaryReactor* PluginsService::Reload(grpc::CallbackServerContext* context,
                                                 const v1::ReloadRequest* request,
                                                 v1::ReloadResponse* response) {
  return on_core(context_.core, context, response,
                 [this, key = request->key()]() -> asio::awaitable<Outcome<v1::ReloadResponse>> {
                   auto count = co_await registry_.reload(key, options_.settle_wait);
                   if (count.has_error()) co_return count.error();
                   v1::ReloadResponse reloaded;
                   reloaded.set_count(count.value());
                   co_return reloaded;
                 });
}

grpc::ServerUnaryReactor* PluginsService::SetEnabled(grpc::CallbackServerContext* context,
                                                     const v1::SetEnabledRequest* request,
                                                     v1::Plugin* response) {
  return on_core(context_.core, context, response,
                 [this, wish = *request]() -> asio::awaitable<Outcome<v1::Plugin>> {
                   const auto wait = wish.wait_ms() == 0
                                         ? options_.settle_wait
                                         : std::chrono::milliseconds(wish.wait_ms());
                   co_return co_await registry_.set_enabled(wish.key(), wish.enabled(), wait);
                 });
}

grpc::ServerUnaryReactor* PluginsService::SetSettings(grpc::CallbackServerContext* context,
                                                      const v1::SetSettingsRequest* request,
                                                      v1::SetSettingsResponse* response) {
  return on_core(context_.core, context, response,
                 [this, wish = *request]() -> asio::awaitable<Outcome<v1::SetSettingsResponse>> {
                   co_return co_await registry_.set_settings(wish.key(), wish.settings_json());
                 });
}

grpc::ServerUnaryReactor* PluginsService::call(v1::CallKind kind, const std::string& key,
                                               const std::string& name,
                                               const std::string& params_json,
                                               std::uint32_t deadline_ms,
                                               v1::RunResponse* response) {
  auto* call = new RunCall(response);  // Owned by gRPC until OnDone.
  const auto plugin = registry_.find(key);
  if (!plugin) {
    call->refuse(unknown_plugin(key));
  } else if (name.empty()) {
    call->refuse(make_failure(v1::REASON_INVALID_REQUEST, "run", "No action was named.", "", key));
  } else if (params_json.size() > options_.max_params_bytes) {
    call->refuse(make_failure(v1::REASON_REQUEST_TOO_LARGE, "run",
                              "The params have " + std::to_string(params_json.size()) +
                                  " bytes; at most " + std::to_string(options_.max_params_bytes) +
                                  " are taken.",
                              "", key));
  } else {
    call->begin(*plugin, kind, name, params_json, std::chrono::milliseconds(deadline_ms));
  }
  return call;
}

grpc::ServerUnaryReactor* PluginsService::Run(grpc::CallbackServerContext*,
                                              const v1::RunRequest* request,
                                              v1::RunResponse* response) {
  return call(v1::CALL_KIND_RUN, request->key(), request->action(), request->params_json(),
              request->deadline_ms(), response);
}

grpc::ServerUnaryReactor* PluginsService::ResolveResource(grpc::CallbackServerContext*,
                                                          const v1::ResolveResourceRequest* request,
                                                          v1::RunResponse* response) {
  return call(v1::CALL_KIND_RESOURCE, request->key(), request->resource(), request->params_json(),
              request->deadline_ms(), response);
}

grpc::ServerUnaryReactor* PluginsService::GetLogo(grpc::CallbackServerContext* context,
                                                  const v1::GetLogoRequest* request,
                                                  v1::GetLogoResponse* response) {
  return on_core(context_.core, context, response,
                 [this, key = request->key()]() -> asio::awaitable<Outcome<v1::GetLogoResponse>> {
                   co_await registry_.refresh(false);
                   const auto plugin = registry_.find(key);
                   if (!plugin) co_return unknown_plugin(key);
                   const auto none = make_failure(v1::REASON_NOT_FOUND, "logo",
                                                  "Plugin '" + key + "' has no logo.png.", "", key);
                   const auto& entry = plugin->entry();
                   if (!entry || !entry->has_logo) co_return none;
                   try {
                     v1::GetLogoResponse logo;
                     logo.set_png(sys::read_file(entry->directory / "logo.png",
                                                 options_.max_logo_bytes, sys::Links::refuse));
                     co_return logo;
                   } catch (const std::exception&) {
                     co_return none;
                   }
                 });
}

}  // namespace supervisor::services
