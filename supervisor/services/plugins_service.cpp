#include "supervisor/services/plugins_service.h"

#include <atomic>

#include "supervisor/audit/audit_details.h"
#include "supervisor/services/caller.h"
#include "supervisor/services/core_call.h"
#include "supervisor/services/run_checks.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::services {

namespace asio = boost::asio;

namespace {

// Runs that may come in one burst without waiting for the thread to ask gRPC
// for the next.
constexpr int waiting_runs = 16;

Outcome<v1::RunResponse> run_response(Outcome<std::string>&& outcome, const std::string& job_id) {
  if (outcome.has_error()) return std::move(outcome.error());
  v1::RunResponse response;
  response.set_result_json(std::move(outcome.value()));
  response.set_job_id(job_id);
  return response;
}

std::string by_whom(const std::string& requested_by) {
  return requested_by.empty() ? "unknown" : requested_by;
}

}  // namespace

void PluginsService::open(rpc::CallDesk& desk) {
  using Rpc = v1::Plugins::AsyncService;
  const auto& core = context_.core;
  desk.unary(
      service_, &Rpc::RequestRun, [this](const auto& call) { run(call); }, waiting_runs);
  desk.unary(service_, &Rpc::RequestResolveResource, [this](const auto& call) { resolve(call); });
  desk.unary(service_, &Rpc::RequestList, [this, core](const auto& call) {
    answer_on_core(core, call, [this] { return list(); });
  });
  desk.unary(service_, &Rpc::RequestGet, [this, core](const auto& call) {
    answer_on_core(core, call, [this, key = call->request().key()] { return get(key); });
  });
  desk.unary(service_, &Rpc::RequestReload, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), key = call->request().key()] {
      return reload(caller, key);
    });
  });
  desk.unary(service_, &Rpc::RequestSetEnabled, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), wish = call->request()] {
      return set_enabled(caller, wish);
    });
  });
  desk.unary(service_, &Rpc::RequestSetSettings, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), wish = call->request()] {
      return set_settings(caller, wish);
    });
  });
  desk.unary(service_, &Rpc::RequestSetOptions, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), wish = call->request()] {
      return set_options(caller, wish);
    });
  });
  desk.unary(service_, &Rpc::RequestSetGrant, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), wish = call->request()] {
      return set_grant(caller, wish);
    });
  });
  desk.unary(service_, &Rpc::RequestGetLogo, [this, core](const auto& call) {
    answer_on_core(core, call, [this, key = call->request().key()] { return logo(key); });
  });
}

// Nothing when it makes no sense, which has been answered then.
template <typename Call>
std::shared_ptr<lifecycle::PluginSupervision> PluginsService::called_plugin(
    Call& call, const std::string& name) const {
  const auto& request = call.request();
  auto plugin = registry_.find(request.key());
  auto wrong = run_failure(plugin != nullptr, request.key(), name, request.params_json().size(),
                           options_.max_params_bytes);
  if (!wrong) return plugin;
  call.answer(std::move(*wrong));
  return nullptr;
}

template <typename Call>
void PluginsService::invoke(const std::shared_ptr<Call>& call, lifecycle::PluginSupervision& plugin,
                            link::WorkerLink::Call&& run, link::WorkerLink::Done done) {
  auto& request = call->request();
  const auto job = run.job_id;
  run.params_json =
      request.params_json().empty() ? std::string("{}") : std::move(*request.mutable_params_json());
  const auto handle = plugin.invoke(
      std::move(run), std::chrono::milliseconds(request.deadline_ms()), std::move(done));
  if (!job.empty()) context_.jobs.carry(job, handle.link, handle.id);
  call->when_hung_up([handle] {
    if (const auto link = handle.link.lock())
      link->abandon(handle.id, make_failure(v1::REASON_CANCELLED, "run", "The caller hung up."));
  });
}

void PluginsService::run(const std::shared_ptr<RunCall>& call) {
  auto& request = call->request();
  const auto plugin = called_plugin(*call, request.action());
  if (!plugin) return;
  // What is refused is no run: the history would be full of those who knock
  // at a plugin that is not there.
  const auto generation = plugin->serving_generation();
  if (generation.has_error()) {
    call->answer(generation.error());
    return;
  }
  auto& jobs = context_.jobs;
  jobs::JobBook::Opening opening;
  opening.plugin = request.key();
  opening.action = request.action();
  opening.requested_by = std::move(*request.mutable_requested_by());
  opening.generation = generation.value();
  link::WorkerLink::Call run;
  run.name = std::move(*request.mutable_action());
  run.job_id = jobs.open(std::move(opening));
  auto entry = trail_.entry(caller_of(*call), v1::AUDIT_ACTION_RUN, request.key());
  entry.set_details_json(audit::run_details(run.name, run.job_id));
  // A call that finds no place is refused before invoke() returns.
  const auto refused = std::make_shared<std::atomic<bool>>(false);
  auto done = [&jobs, call, refused, id = run.job_id](Outcome<std::string> outcome) {
    if (outcome.has_error() && outcome.error().reason() == v1::REASON_QUEUE_FULL) {
      *refused = true;
      jobs.forget(id);
    } else {
      jobs.settle(id, outcome);
    }
    call->answer(run_response(std::move(outcome), id));
  };
  invoke(call, *plugin, std::move(run), std::move(done));
  if (!*refused) trail_.record(std::move(entry));
}

void PluginsService::resolve(const std::shared_ptr<ResolveCall>& call) {
  auto& request = call->request();
  const auto plugin = called_plugin(*call, request.resource());
  if (!plugin) return;
  link::WorkerLink::Call run;
  run.kind = v1::CALL_KIND_RESOURCE;
  run.name = std::move(*request.mutable_resource());
  auto done = [call](Outcome<std::string> outcome) {
    call->answer(run_response(std::move(outcome), {}));
  };
  invoke(call, *plugin, std::move(run), std::move(done));
}

asio::awaitable<Outcome<v1::ListPluginsResponse>> PluginsService::list() {
  // A database that is away must not take the list with it.
  co_await registry_.refresh_unless_recent();
  v1::ListPluginsResponse list;
  for (const auto& plugin : registry_.list()) *list.add_plugins() = plugin->status().plugin();
  co_return list;
}

asio::awaitable<Outcome<v1::Plugin>> PluginsService::get(std::string key) {
  co_await registry_.refresh(false);
  const auto plugin = registry_.find(key);
  if (!plugin) co_return unknown_plugin(key);
  co_return plugin->status().plugin(lifecycle::Detail::all);
}

asio::awaitable<Outcome<v1::ReloadResponse>> PluginsService::reload(v1::Caller caller,
                                                                    std::string key) {
  const auto entry = trail_.entry(std::move(caller), v1::AUDIT_ACTION_RELOAD, key);
  const std::function<void()> begun = [this, &entry] { trail_.record(entry); };
  auto reloading = registry_.reload(key, options_.settle_wait, begun);
  const auto count = co_await std::move(reloading);
  if (count.has_error()) {
    trail_.refuse(entry, count.error().reason());
    co_return count.error();
  }
  v1::ReloadResponse reloaded;
  reloaded.set_count(count.value());
  co_return reloaded;
}

asio::awaitable<Outcome<v1::Plugin>> PluginsService::set_enabled(v1::Caller caller,
                                                                 v1::SetEnabledRequest wish) {
  const auto wait =
      wish.wait_ms() == 0 ? options_.settle_wait : std::chrono::milliseconds(wish.wait_ms());
  if (wish.enabled() && wish.grant_asked()) {
    const auto grant = trail_.entry(caller, v1::AUDIT_ACTION_GRANT, wish.key());
    auto granting =
        trail_.told(grant, registry_.grant_asked(wish.key(), by_whom(wish.requested_by()), grant));
    const auto granted = co_await std::move(granting);
    if (granted.has_error()) co_return granted.error();
  }
  const auto entry =
      trail_.entry(std::move(caller),
                   wish.enabled() ? v1::AUDIT_ACTION_ENABLE : v1::AUDIT_ACTION_DISABLE, wish.key());
  auto setting = trail_.told(entry, registry_.set_enabled(wish.key(), wish.enabled(), wait, entry));
  co_return co_await std::move(setting);
}

asio::awaitable<Outcome<v1::SetSettingsResponse>> PluginsService::set_settings(
    v1::Caller caller, v1::SetSettingsRequest wish) {
  const auto entry = trail_.entry(std::move(caller), v1::AUDIT_ACTION_SETTINGS, wish.key());
  auto setting =
      trail_.told(entry, registry_.set_settings(wish.key(), wish.settings_json(), entry));
  co_return co_await std::move(setting);
}

asio::awaitable<Outcome<v1::Plugin>> PluginsService::set_options(v1::Caller caller,
                                                                 v1::SetOptionsRequest wish) {
  const auto entry = trail_.entry(std::move(caller), v1::AUDIT_ACTION_OPTIONS, wish.key());
  auto setting = trail_.told(entry, registry_.set_options(wish.key(), wish.options(), entry));
  co_return co_await std::move(setting);
}

asio::awaitable<Outcome<v1::Plugin>> PluginsService::set_grant(v1::Caller caller,
                                                               v1::SetGrantRequest wish) {
  const auto entry = trail_.entry(std::move(caller), v1::AUDIT_ACTION_GRANT, wish.key());
  auto setting = trail_.told(
      entry, registry_.set_grant(wish.key(), wish.granted(), by_whom(wish.requested_by()), entry));
  co_return co_await std::move(setting);
}

asio::awaitable<Outcome<v1::GetLogoResponse>> PluginsService::logo(std::string key) {
  co_await registry_.refresh(false);
  const auto plugin = registry_.find(key);
  if (!plugin) co_return unknown_plugin(key);
  const auto none =
      make_failure(v1::REASON_NOT_FOUND, "logo", "Plugin '" + key + "' has no logo.png.", "", key);
  const auto& entry = plugin->facts().entry;
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
