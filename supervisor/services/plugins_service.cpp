#include "supervisor/services/plugins_service.h"

#include "supervisor/services/core_call.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::services {

namespace asio = boost::asio;

namespace {

// Runs that may come in one burst without waiting for the thread to ask gRPC
// for the next.
constexpr int waiting_runs = 16;

Failure unknown_plugin(const std::string& key) {
  return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup", "There is no plugin '" + key + "'.",
                      "List the plugins to see their keys; reload if it was just added.", key);
}

Outcome<v1::RunResponse> run_response(Outcome<std::string>&& outcome) {
  if (outcome.has_error()) return std::move(outcome.error());
  v1::RunResponse response;
  response.set_result_json(std::move(outcome.value()));
  return response;
}

}  // namespace

void PluginsService::open(rpc::CallDesk& desk) {
  using Rpc = v1::Plugins::AsyncService;
  const auto& core = context_.core;
  desk.unary(
      service_, &Rpc::RequestRun,
      [this](const auto& request) {
        call(request, v1::CALL_KIND_RUN, std::move(*request->request().mutable_action()));
      },
      waiting_runs);
  desk.unary(service_, &Rpc::RequestResolveResource, [this](const auto& request) {
    call(request, v1::CALL_KIND_RESOURCE, std::move(*request->request().mutable_resource()));
  });
  desk.unary(service_, &Rpc::RequestList, [this, core](const auto& call) {
    answer_on_core(core, call, [this] { return list(); });
  });
  desk.unary(service_, &Rpc::RequestGet, [this, core](const auto& call) {
    answer_on_core(core, call, [this, key = call->request().key()] { return get(key); });
  });
  desk.unary(service_, &Rpc::RequestReload, [this, core](const auto& call) {
    answer_on_core(core, call, [this, key = call->request().key()] { return reload(key); });
  });
  desk.unary(service_, &Rpc::RequestSetEnabled, [this, core](const auto& call) {
    answer_on_core(core, call, [this, wish = call->request()] { return set_enabled(wish); });
  });
  desk.unary(service_, &Rpc::RequestSetSettings, [this, core](const auto& call) {
    answer_on_core(core, call, [this, wish = call->request()] {
      return registry_.set_settings(wish.key(), wish.settings_json());
    });
  });
  desk.unary(service_, &Rpc::RequestSetOptions, [this, core](const auto& call) {
    answer_on_core(core, call, [this, wish = call->request()] {
      return registry_.set_options(wish.key(), wish.options());
    });
  });
  desk.unary(service_, &Rpc::RequestGetLogo, [this, core](const auto& call) {
    answer_on_core(core, call, [this, key = call->request().key()] { return logo(key); });
  });
}

template <typename Call>
void PluginsService::call(const std::shared_ptr<Call>& call, v1::CallKind kind,
                          std::string&& name) {
  auto& request = call->request();
  const std::string& key = request.key();
  const std::size_t bytes = request.params_json().size();
  const auto plugin = registry_.find(key);
  if (!plugin) {
    call->answer(unknown_plugin(key));
  } else if (name.empty()) {
    call->answer(make_failure(v1::REASON_INVALID_REQUEST, "run", "No action was named.", "", key));
  } else if (bytes > options_.max_params_bytes) {
    call->answer(make_failure(v1::REASON_REQUEST_TOO_LARGE, "run",
                              "The params have " + std::to_string(bytes) + " bytes; at most " +
                                  std::to_string(options_.max_params_bytes) + " are taken.",
                              "", key));
  } else {
    link::WorkerLink::Call run;
    run.kind = kind;
    run.name = std::move(name);
    run.params_json = bytes == 0 ? std::string("{}") : std::move(*request.mutable_params_json());
    const auto handle = plugin->invoke(
        std::move(run), std::chrono::milliseconds(request.deadline_ms()),
        [call](Outcome<std::string> outcome) { call->answer(run_response(std::move(outcome))); });
    call->when_hung_up([handle] {
      if (const auto link = handle.link.lock())
        link->abandon(handle.id, make_failure(v1::REASON_CANCELLED, "run", "The caller hung up."));
    });
  }
}

asio::awaitable<Outcome<v1::ListPluginsResponse>> PluginsService::list() {
  // A database that is away must not take the list with it.
  co_await registry_.refresh(false);
  v1::ListPluginsResponse list;
  for (const auto& plugin : registry_.list()) *list.add_plugins() = plugin->snapshot();
  co_return list;
}

asio::awaitable<Outcome<v1::Plugin>> PluginsService::get(std::string key) {
  co_await registry_.refresh(false);
  const auto plugin = registry_.find(key);
  if (!plugin) co_return unknown_plugin(key);
  co_return plugin->snapshot(lifecycle::PluginSupervision::Detail::all);
}

asio::awaitable<Outcome<v1::ReloadResponse>> PluginsService::reload(std::string key) {
  auto count = co_await registry_.reload(key, options_.settle_wait);
  if (count.has_error()) co_return count.error();
  v1::ReloadResponse reloaded;
  reloaded.set_count(count.value());
  co_return reloaded;
}

asio::awaitable<Outcome<v1::Plugin>> PluginsService::set_enabled(
    const v1::SetEnabledRequest& wish) {
  const auto wait =
      wish.wait_ms() == 0 ? options_.settle_wait : std::chrono::milliseconds(wish.wait_ms());
  return registry_.set_enabled(wish.key(), wish.enabled(), wait);
}

asio::awaitable<Outcome<v1::GetLogoResponse>> PluginsService::logo(std::string key) {
  co_await registry_.refresh(false);
  const auto plugin = registry_.find(key);
  if (!plugin) co_return unknown_plugin(key);
  const auto none =
      make_failure(v1::REASON_NOT_FOUND, "logo", "Plugin '" + key + "' has no logo.png.", "", key);
  const auto& entry = plugin->entry();
  if (!entry || !entry->has_logo) co_return none;
  try {
    v1::GetLogoResponse logo;
    logo.set_png(
        sys::read_file(entry->directory / "logo.png", options_.max_logo_bytes, sys::Links::refuse));
    co_return logo;
  } catch (const std::exception&) {
    co_return none;
  }
}

}  // namespace supervisor::services
