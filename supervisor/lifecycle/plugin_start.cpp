// The part of a PluginSupervision that brings a worker to where it takes calls.
#include <algorithm>

#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/lifecycle/data_directory.h"
#include "supervisor/lifecycle/plugin_failures.h"
#include "supervisor/lifecycle/plugin_supervision.h"
#include "supervisor/lifecycle/runtime_choice.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// The same code would fail the same way: not retried blindly. Nothing of the
// run is held on to meanwhile, neither its directory nor its pipes.
asio::awaitable<void> PluginSupervision::wait_to_load_again() {
  if (facts().state != v1::PLUGIN_STATE_LOAD_FAILED) co_return;
  while (wants_worker() && !retry_load_ && !reload_wanted_ && !obstacle())
    co_await rest(Clock::time_point::max());
}

Outcome<void> PluginSupervision::choose_runtime(WorkerRun& run) {
  look_at_permissions();  // The profiles may be others by now.
  if (facts().permissions_mistake) return *facts().permissions_mistake;
  auto permissions = facts().consent.effective();
  auto runtime =
      context_.profiles.runtime_for(runtime_choice(permissions, facts().options.profile()), key_);
  if (runtime.has_error()) return runtime.error();
  run.set_runtime(std::move(runtime.value()));
  if (auto writable = writable_interpreter(permissions)) return *writable;
  auto sandbox = choose_sandbox(permissions, run.runtime());
  if (sandbox.has_error()) return sandbox.error();
  run.set_sandbox(std::move(sandbox.value()));
  status_.change([&](PluginFacts& facts) {
    facts.runtime_name = run.runtime_name();
    facts.permissions = std::move(permissions);
  });
  return {};
}

// What it writes must not become what its next worker runs.
std::optional<Failure> PluginSupervision::writable_interpreter(
    const v1::Permissions& permissions) const {
  const auto& python = permissions.runtime().python();
  if (python.empty()) return std::nullopt;
  const std::filesystem::path named(python);
  std::error_code none;
  const auto meant = std::filesystem::weakly_canonical(named, none);
  std::vector<std::filesystem::path> writable{context_.options.data_dir / key_};
  writable.insert(writable.end(), permissions.filesystem().write().begin(),
                  permissions.filesystem().write().end());
  for (const auto& directory : writable) {
    for (const auto& file : {named, meant}) {
      if (std::mismatch(directory.begin(), directory.end(), file.begin(), file.end()).first !=
          directory.end())
        continue;
      return make_failure(v1::REASON_PERMISSIONS_INVALID, "permissions",
                          "permissions.runtime.python of plugin '" + key_ + "' lies in " +
                              directory.string() + ", where the plugin may write.",
                          "Put its interpreter where only an admin may write.", key_);
    }
  }
  return std::nullopt;
}

Outcome<WorkerSandbox> PluginSupervision::choose_sandbox(const v1::Permissions& permissions,
                                                         const spawner::Runtime& runtime) {
  const auto& profile = runtime.spawner->profile();
  WorkerSandbox chosen;
  chosen.permissions = permissions;
  auto modes = context_.options.protections.with(profile.sandbox);
  if (modes.has_value()) modes = modes.value().with(facts().options.sandbox());
  if (modes.has_error()) return modes.error();
  chosen.modes = std::move(modes.value());
  auto& subject = chosen.subject;
  subject.code = facts().entry->directory;
  subject.data = context_.options.data_dir / key_;
  subject.interpreter = profile.python;
  if (!runtime.command.empty()) subject.interpreter = runtime.command.front();
  subject.executes = !runtime.command.empty();
  if (chosen.modes.of(v1::PROTECTION_USER) != sandbox::ProtectionMode::off)
    subject.user = facts().user;
  try {
    make_data_directory(subject.data);
  } catch (const std::exception& error) {
    return make_failure(
        v1::REASON_LAUNCH_FAILED, "data",
        "The data directory of plugin '" + key_ + "' could not be made: " + error.what() + ".",
        "Check --data-dir: it must be writable.", key_);
  }
  return chosen;
}

void PluginSupervision::show_progress(const WorkerRun& run) {
  status_.change([&](PluginFacts& facts) {
    facts.pid = run.pid();
    facts.start_steps = run.steps();
    facts.limits = run.limits();
    facts.network = run.network();
    facts.heartbeat = run.heartbeat();
    facts.runtime_name = run.runtime_name();
    facts.permissions = run.sandbox().permissions;
  });
}

// Waits for the worker to load. When it does not, ends it and enters
// LOAD_FAILED (or STOPPING, when it is no longer wanted). One that was taken
// over and does not come back has crashed, as it had loaded once; so has one
// that was killed or starved before it could load: its code was not to blame.
asio::awaitable<PluginSupervision::Start> PluginSupervision::until_ready(WorkerRun& run) {
  const auto deadline = Clock::now() + context_.options.start_timeout;
  std::optional<Failure> failure;
  for (;;) {
    const auto seen = changed_.version();
    show_progress(run);
    if (run.is_stopping()) {
      co_await stop_run(run, "restart");
      co_return Start::over;
    }
    if (run.loaded()) {
      take_metadata(*run.loaded());
      status_.change([&](PluginFacts& facts) {
        facts.link = run.link();
        facts.last_reload_unix_ms = run.is_adopted() ? facts.started_at_unix_ms : sys::unix_ms();
      });
      // They may have changed while the code was loading.
      if (facts().row) facts().link->change_settings(facts().row->settings_json);
      enter(v1::PLUGIN_STATE_RUNNING);
      co_return Start::ready;
    }
    if (run.load_failed()) {
      failure = *run.load_failed();
      failure->set_plugin(key_);
      break;
    }
    if (!run.cut_because().empty()) {
      failure = link_lost_failure(key_, make_failure(v1::REASON_LINK_LOST, "load", "", "", key_),
                                  run.cut_because());
      break;
    }
    if (run.exited()) break;
    // One that is being taken over is asked to stop once it listens again.
    const bool listens = run.attached() || !run.is_adopted();
    if (listens && (!wants_worker() || reload_wanted_ || obstacle())) {
      co_await stop_run(run, stop_reason());
      co_return Start::over;
    }
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) {
      failure = co_await late_start(run);
      break;
    }
  }
  const bool lost = run.is_adopted() && !run.attached();
  if (!run.exited()) co_await run.stop(lost ? "not_adopted" : "load_failed", 0ms);
  co_await run.finish();
  if (lost) {
    auto crash = run.death("adopt");
    if (failure) {
      crash.set_reason(v1::REASON_NOT_ADOPTED);
      crash.set_message("The worker of plugin '" + key_ +
                        "' did not come back to this supervisor and was ended.");
    }
    close_link(run, crash);
    end_adoption(&crash);
    note(v1::LOG_LEVEL_ERROR, crash.message());
    if (!failure && run.ended_without_fault()) co_return Start::over;
    status_.change([&](PluginFacts& facts) { facts.last_crash = std::move(crash); });
    co_return Start::crashed;
  }
  const bool died = !failure;
  if (died) failure = run.death(run.attached() ? "load" : "attach");
  close_link(run, *failure);
  const bool killed = died && failure->reason() == v1::REASON_WORKER_KILLED_BY_SIGNAL &&
                      (failure->signal() == "SIGKILL" || !run.attached());
  if (killed || failure->reason() == v1::REASON_ATTACH_TIMEOUT) {
    note(v1::LOG_LEVEL_ERROR, failure->message());
    logs::log_event(spdlog::level::warn, "worker.crashed",
                    {{"plugin", key_},
                     {"generation", facts().generation},
                     {"reason", reason_code(failure->reason())},
                     {"signal", failure->signal()}});
    status_.change([&](PluginFacts& facts) { facts.last_crash = std::move(failure); });
    co_return Start::crashed;
  }
  note(v1::LOG_LEVEL_ERROR, "load failed: " + failure->message());
  enter(v1::PLUGIN_STATE_LOAD_FAILED, failure);
  co_return Start::over;
}

// Where the worker is after all that time is the evidence, and tells the step.
asio::awaitable<Failure> PluginSupervision::late_start(WorkerRun& run) {
  const auto patience = context_.options.start_timeout;
  if (!run.attached()) co_return attach_timeout_failure(key_, patience);
  auto asking = run.ask_for_stacks(Clock::now() + 1s);
  const auto stacks = co_await std::move(asking);
  co_return load_timeout_failure(key_, patience, stacks);
}

v1::Load PluginSupervision::load_message() const {
  v1::Load load;
  load.set_key(key_);
  load.set_plugins_dir(context_.options.plugins_dir.string());
  load.set_settings_json(facts().row ? facts().row->settings_json : "{}");
  if (!facts().entry) return load;  // Of one to be taken over and stopped.
  load.set_directory(facts().entry->directory.string());
  load.set_folder_name(facts().entry->folder_name);
  load.set_legacy(facts().entry->legacy);
  if (!facts().entry->legacy) *load.mutable_manifest() = facts().entry->metadata;
  return load;
}

void PluginSupervision::take_metadata(v1::Loaded loaded) {
  std::vector<std::string> warnings(loaded.warnings().begin(), loaded.warnings().end());
  auto& metadata = *loaded.mutable_metadata();
  metadata.set_fields_json(catalog::valid_fields(metadata.fields_json(), warnings));
  metadata.set_actions_json(catalog::valid_actions(metadata.actions_json(), warnings));
  if (facts().entry) metadata.set_permissions_json(facts().entry->metadata.permissions_json());
  loaded.mutable_warnings()->Assign(warnings.begin(), warnings.end());
  status_.change([&](PluginFacts& facts) { facts.loaded = std::move(loaded); });
  hide_secrets();
  if (on_metadata) on_metadata(*this);
}

}  // namespace supervisor::lifecycle
