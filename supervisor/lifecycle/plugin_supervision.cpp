#include "supervisor/lifecycle/plugin_supervision.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>
#include <random>

#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/lifecycle/plugin_failures.h"
#include "supervisor/lifecycle/plugin_state.h"
#include "supervisor/lifecycle/runtime_choice.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/fault_point.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_life_events = 50;

std::int64_t now_unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Told to, or for want of a supervisor (start_worker.py): that is no crash.
bool ended_without_fault(const WorkerRun& run) {
  constexpr int exit_not_attached = 3;
  constexpr int exit_link_lost = 4;
  const auto& status = run.exit_status();
  return status && !status->signalled &&
         (status->code == 0 || status->code == exit_not_attached || status->code == exit_link_lost);
}

}  // namespace

PluginSupervision::PluginSupervision(SupervisionContext& context, std::string key)
    : context_(context),
      key_(std::move(key)),
      log_book_(context.logs.book(key_)),
      meter_(context.meters.plugin(key_)),
      changed_(context.core),
      settled_signal_(context.core),
      status_(key_) {}

// --- What is wanted ----------------------------------------------------------

void PluginSupervision::set_entry(std::optional<catalog::CatalogEntry> entry) {
  const bool files_changed =
      entry.has_value() != facts().entry.has_value() ||
      (entry && facts().entry && entry->fingerprint != facts().entry->fingerprint);
  status_.change([&](PluginFacts& facts) { facts.entry = std::move(entry); });
  if (!files_changed) return;
  retry_load_ = true;
  ++wish_;
  changed_.notify();
}

void PluginSupervision::set_row(std::optional<store::PluginConfigRow> row) {
  const auto settings = [](const auto& r) { return r ? r->settings_json : std::string("{}"); };
  const auto enabled = [](const auto& r) { return r && r->enabled; };
  const bool settings_changed = settings(row) != settings(facts().row);
  const bool flag_changed = enabled(row) != enabled(facts().row);
  const bool had_row = facts().row.has_value();
  const bool first = !facts().row_known;
  status_.change([&](PluginFacts& facts) {
    facts.row_known = true;
    facts.row = std::move(row);
  });
  if (settings_changed) {
    if (facts().link)
      facts().link->change_settings(facts().row ? facts().row->settings_json : "{}");
    if (facts().state == v1::PLUGIN_STATE_LOAD_FAILED) retry_load_ = true;
  }
  if (flag_changed && had_row) {
    // Switching off and on again is how an admin says "forget the past".
    stopped_by_admin_ = false;
    stayed_stopped_.reset();
    forget_crashes();
    status_.change([](PluginFacts& facts) {
      facts.restarts = 0;
      facts.last_crash.reset();
    });
  }
  if (!settings_changed && !flag_changed && !first) return;
  ++wish_;
  changed_.notify();
}

void PluginSupervision::ask() {
  ++wish_;
  changed_.notify();
}

void PluginSupervision::reload() {
  reload_reason_ = "reload";
  reload_wanted_ = true;
  stopped_by_admin_ = false;
  stayed_stopped_.reset();
  forget_crashes();
  ask();
}

void PluginSupervision::restart() {
  reload();
  reload_reason_ = "restart";
}

bool PluginSupervision::kill() {
  if (facts().state != v1::PLUGIN_STATE_RUNNING && facts().state != v1::PLUGIN_STATE_STARTING &&
      facts().state != v1::PLUGIN_STATE_STOPPING)
    return false;
  if (facts().state == v1::PLUGIN_STATE_STOPPING && run_ != nullptr) run_->hurry();
  kill_wanted_ = true;
  reload_wanted_ = true;
  reload_reason_ = "kill";
  ask();
  return true;
}

void PluginSupervision::start() {
  if (facts().state == v1::PLUGIN_STATE_RUNNING && !stopped_by_admin_) return;
  stopped_by_admin_ = false;
  stayed_stopped_.reset();
  retry_load_ = true;
  forget_crashes();
  ask();
}

void PluginSupervision::stop() {
  stopped_by_admin_ = true;
  ask();
}

void PluginSupervision::retry_load() {
  if (facts().state != v1::PLUGIN_STATE_LOAD_FAILED) return;
  retry_load_ = true;
  ask();
}

void PluginSupervision::unquarantine() {
  if (ledger_.quarantined_at != 0) start();
}

void PluginSupervision::forget_crashes() {
  if (ledger_.recent.empty() && ledger_.crashes_in_a_row == 0) return;
  ledger_ = {};
  remember();
}

void PluginSupervision::restore(const store::CrashLedgerRow& remembered) {
  ledger_.crashes_in_a_row = remembered.crashes_in_a_row;
  ledger_.recent = remembered.recent_crashes;
  ledger_.quarantined_at = remembered.quarantined_at;
  ledger_.next_start = remembered.next_start;
  Failure crash;
  const bool crashed =
      !remembered.last_crash_json.empty() &&
      google::protobuf::util::JsonStringToMessage(remembered.last_crash_json, &crash).ok();
  status_.change([&](PluginFacts& facts) {
    facts.generation = std::max(facts.generation, remembered.generation);
    if (crashed) facts.last_crash = std::move(crash);
  });
}

void PluginSupervision::set_options(v1::PluginOptions options) {
  const bool elsewhere = options.profile() != facts().options.profile();
  status_.change([&](PluginFacts& facts) { facts.options = std::move(options); });
  if (elsewhere) retry_load();
}

std::chrono::milliseconds PluginSupervision::stop_timeout() const {
  return facts().options.has_stop_timeout_ms()
             ? std::chrono::milliseconds(facts().options.stop_timeout_ms())
             : context_.options.stop_timeout;
}

void PluginSupervision::remember() {
  if (!on_ledger) return;
  store::CrashLedgerRow row;
  row.key = key_;
  row.generation = facts().generation;
  row.crashes_in_a_row = ledger_.crashes_in_a_row;
  row.recent_crashes = ledger_.recent;
  row.quarantined_at = ledger_.quarantined_at;
  row.next_start = ledger_.next_start;
  if (facts().last_crash) {
    // What cannot be told as JSON is not remembered.
    if (!google::protobuf::util::MessageToJsonString(*facts().last_crash, &row.last_crash_json)
             .ok())
      row.last_crash_json.clear();
  }
  on_ledger(std::move(row));
}

void PluginSupervision::take_over(LeftLaunch left) {
  // Two of one plugin: the older was being stopped.
  if (left_ && left_->record.generation() > left.record.generation()) std::swap(*left_, left);
  if (left_ && left_->init) left_->init.send_signal(SIGKILL);
  left_.emplace(std::move(left));
  adopting_ = true;
  ask();
}

void PluginSupervision::shut_down() {
  shutting_down_ = true;
  ++wish_;
  changed_.notify();
}

asio::awaitable<void> PluginSupervision::settled(Clock::time_point deadline) {
  const std::uint64_t wish = wish_;
  while (settled_ < wish && !ended_) {
    const bool woken = co_await settled_signal_.changed_since(settled_signal_.version(), deadline);
    if (!woken) co_return;
  }
}

bool PluginSupervision::wants_worker() const {
  if (shutting_down_ || stopped_by_admin_ || !facts().entry) return false;
  if (facts().row) return facts().row->enabled;
  // With the database away, a worker that runs already is let run.
  return !facts().row_known && run_ != nullptr && run_->is_adopted();
}

// Why a wanted worker cannot be started, from what is known of the files.
std::optional<Failure> PluginSupervision::obstacle() const {
  return facts().entry ? facts().entry->error : std::nullopt;
}

std::string PluginSupervision::stop_reason() const {
  if (shutting_down_) return "shutdown";
  if (!facts().entry) return "delete";
  if (!facts().row || !facts().row->enabled) return "disable";
  if (stopped_by_admin_) return "stop";
  return reload_wanted_ ? reload_reason_ : "restart";
}

// --- The coroutine -------------------------------------------------------------

asio::awaitable<void> PluginSupervision::supervise() {
  const auto keep = shared_from_this();
  // What is known of the plugin is set right after this has been spawned.
  co_await asio::post(context_.core, asio::use_awaitable);
  while (!shutting_down_ || left_) {
    if (left_) {
      co_await adopt_generation();
      end_adoption(nullptr);
      continue;
    }
    if (wants_worker() && !obstacle()) {
      if (const auto held = hold(); held != Hold::none) {
        co_await wait_in(held);
      } else {
        co_await run_generation();
      }
      continue;
    }
    if (!facts().entry) {
      enter(v1::PLUGIN_STATE_MISSING);
    } else if (stopped_by_admin_ && facts().row && facts().row->enabled) {
      enter(v1::PLUGIN_STATE_STOPPED, stayed_stopped_);
    } else if (wants_worker()) {
      enter(v1::PLUGIN_STATE_LOAD_FAILED, obstacle());
    } else {
      enter(v1::PLUGIN_STATE_DISABLED, obstacle());
    }
    co_await rest(Clock::time_point::max());
  }
  if (facts().state != v1::PLUGIN_STATE_DISABLED && facts().state != v1::PLUGIN_STATE_MISSING)
    enter(v1::PLUGIN_STATE_STOPPED);
  ended_ = true;
  settled_signal_.notify();
}

PluginSupervision::Hold PluginSupervision::hold() const {
  if (ledger_.quarantined_at != 0) return Hold::quarantine;
  return ledger_.next_start > now_unix_ms() ? Hold::backoff : Hold::none;
}

asio::awaitable<void> PluginSupervision::wait_in(Hold hold) {
  if (hold == Hold::quarantine) {
    enter(v1::PLUGIN_STATE_QUARANTINED,
          quarantine_failure(key_, ledger_, context_.options.restart, facts().last_crash));
    co_await rest(Clock::time_point::max());
    co_return;
  }
  // A clock that was set back must not make the wait longer than any delay is.
  const auto wait = std::min(std::chrono::milliseconds(ledger_.next_start - now_unix_ms()),
                             context_.options.restart.max_delay);
  const auto next_start = now_unix_ms() + wait.count();
  status_.change([&](PluginFacts& facts) { facts.next_start_unix_ms = next_start; });
  enter(v1::PLUGIN_STATE_BACKOFF, facts().last_crash);
  const auto until = Clock::now() + wait;
  co_await rest(until);
  if (Clock::now() >= until) ledger_.next_start = 0;
}

// The worker ended by itself; what follows is the policy's word.
void PluginSupervision::take_crash(const WorkerRun& run, std::chrono::milliseconds ran_for) {
  using Action = RestartDecision::Action;
  Ending ending;
  ending.ran_for = ran_for;
  ending.failed =
      !run.exit_status() || run.exit_status()->signalled || run.exit_status()->code != 0;
  std::uniform_real_distribution<double> random(0, 1);
  std::random_device source;
  auto decision = decide_restart(context_.options.restart, std::move(ledger_), now_unix_ms(),
                                 ending, random(source));
  ledger_ = std::move(decision.ledger);
  status_.change([](PluginFacts& facts) { ++facts.restarts; });
  crash_untold_ = true;
  if (facts().last_crash) meter_->crashes.count(facts().last_crash->reason());
  remember();
  if (decision.action != Action::stay_stopped) return;
  stopped_by_admin_ = true;
  stayed_stopped_ = facts().last_crash;
}

// Nothing to do until something is asked for, or `until`.
asio::awaitable<void> PluginSupervision::rest(Clock::time_point until) {
  if (settled_ < wish_) {
    settled_ = wish_;
    settled_signal_.notify();
  }
  reload_wanted_ = false;
  while (settled_ == wish_) {
    const bool changed = co_await changed_.changed_since(changed_.version(), until);
    if (!changed) co_return;
  }
}

asio::awaitable<void> PluginSupervision::run_generation() {
  reload_wanted_ = false;
  kill_wanted_ = false;
  retry_load_ = false;
  status_.change([](PluginFacts& facts) {
    ++facts.generation;
    facts.next_start_unix_ms = 0;
  });
  remember();
  enter(v1::PLUGIN_STATE_STARTING);
  const auto began = Clock::now();
  auto run = std::make_shared<WorkerRun>(context_, key_, facts().generation, log_book_, changed_,
                                         facts().options);
  auto started = choose_runtime(*run);
  if (started.has_value()) {
    auto still_wanted = [this] { return wants_worker(); };
    auto starting =
        run->start(load_message(), context_.options.start_timeout, std::move(still_wanted));
    started = co_await std::move(starting);
  }
  if (started.has_error() && !wants_worker()) {
    enter(v1::PLUGIN_STATE_STOPPING);
    enter(v1::PLUGIN_STATE_STOPPED);
    co_return;
  }
  if (started.has_error()) {
    enter(v1::PLUGIN_STATE_LOAD_FAILED, started.error());
    run.reset();
    // The system may recover by itself (spawner, memory, descriptors): look
    // again, ever more rarely.
    const auto pause = std::min<Clock::duration>(500ms * (1 << std::min(failed_launches_, 6)), 30s);
    ++failed_launches_;
    co_await rest(Clock::now() + pause);
    co_return;
  }
  failed_launches_ = 0;
  co_await live(*run, began);
  run.reset();
  co_await wait_to_load_again();
}

// The same code would fail the same way: not retried blindly. Nothing of the
// run is held on to meanwhile, neither its directory nor its pipes.
asio::awaitable<void> PluginSupervision::wait_to_load_again() {
  if (facts().state != v1::PLUGIN_STATE_LOAD_FAILED) co_return;
  while (wants_worker() && !retry_load_ && !reload_wanted_ && !obstacle())
    co_await rest(Clock::time_point::max());
}

// No worker of an earlier supervisor comes any more: what it ran ended with it.
void PluginSupervision::end_adoption(const Failure* why) {
  if (std::exchange(adopting_, false)) context_.jobs.fail_unadopted(key_, why);
}

// What an earlier supervisor started goes on, or is seen to have ended.
asio::awaitable<void> PluginSupervision::adopt_generation() {
  auto left = std::move(*left_);
  left_.reset();
  const auto started = left.record.started_unix_ms();
  status_.change([&](PluginFacts& facts) {
    facts.generation = std::max(facts.generation, left.record.generation());
  });
  auto run = std::make_shared<WorkerRun>(context_, key_, left.record.generation(), log_book_,
                                         changed_, left.record.options());
  const bool alive = static_cast<bool>(left.init);
  auto adopted = run->adopt(std::move(left), load_message());
  if (!alive) {
    co_await run->finish();
    // Not before what was counted earlier is known.
    while (!facts().row_known && !shutting_down_)
      co_await changed_.changed_since(changed_.version());
    take_lost_end(*run);
    co_return;
  }
  enter(v1::PLUGIN_STATE_STARTING);
  if (adopted.has_error()) {
    note(v1::LOG_LEVEL_ERROR, adopted.error().message());
    co_await run->kill("not_adopted");
    co_await run->finish();
    enter(v1::PLUGIN_STATE_STOPPING, adopted.error());
    enter(v1::PLUGIN_STATE_STOPPED, adopted.error());
    co_return;
  }
  const auto ran_for =
      std::chrono::milliseconds(std::max<std::int64_t>(0, now_unix_ms() - started));
  co_await live(*run, Clock::now() - ran_for);
  run.reset();
  co_await wait_to_load_again();
}

// Its worker ended while there was no supervisor.
void PluginSupervision::take_lost_end(WorkerRun& run) {
  if (ended_without_fault(run)) return;
  auto failure = run.death("run");
  failure.set_message(failure.message() + " No supervisor was running at that time.");
  end_adoption(&failure);
  note(v1::LOG_LEVEL_ERROR, failure.message());
  status_.change([&](PluginFacts& facts) { facts.last_crash = std::move(failure); });
  take_crash(run, 0ms);
}

// From a worker that exists to its end.
asio::awaitable<void> PluginSupervision::live(WorkerRun& run, Clock::time_point began) {
  run_ = &run;
  status_.change([&](PluginFacts& facts) {
    facts.started_at_unix_ms = run.started_unix_ms();
    facts.adopted = run.is_adopted();
  });
  const Start start = co_await until_ready(run);
  if (run.is_adopted()) end_adoption(nullptr);
  if (start == Start::ready) {
    sys::fault_point("running");
    logs::log_event(
        spdlog::level::info, run.is_adopted() ? "worker.adopted" : "worker.ready",
        {{"plugin", key_},
         {"generation", facts().generation},
         {"pid", run.pid()},
         {"ms",
          std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count()},
         {"fork_ms", run.steps().fork_us() / 1000.0},
         {"attach_ms", run.steps().attach_us() / 1000.0},
         {"import_ms", run.steps().import_us() / 1000.0},
         {"construct_ms", run.steps().construct_us() / 1000.0}});
    co_await serve(run);
  }
  run_ = nullptr;
  status_.change([&](PluginFacts& facts) {
    facts.forget_worker();
    if (!run.stop_report().reason().empty()) facts.last_stop = run.stop_report();
  });
  if (facts().state == v1::PLUGIN_STATE_LOAD_FAILED) co_return;
  if (facts().state == v1::PLUGIN_STATE_STOPPING) {
    enter(v1::PLUGIN_STATE_STOPPED);
    co_return;
  }
  // It crashed, or was left without a supervisor before it had attached.
  if (start != Start::over)
    take_crash(run, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began));
  if (!wants_worker() || obstacle()) {
    const auto why = facts().failure;
    enter(v1::PLUGIN_STATE_STOPPING, why);
    enter(v1::PLUGIN_STATE_STOPPED, why);
  }
}

Outcome<void> PluginSupervision::choose_runtime(WorkerRun& run) {
  auto choice =
      runtime_choice(facts().entry->metadata.permissions_json(), facts().options.profile(), key_);
  if (choice.has_error()) return choice.error();
  auto runtime = context_.profiles.runtime_for(choice.value(), key_);
  if (runtime.has_error()) return runtime.error();
  status_.change([&](PluginFacts& facts) { facts.runtime_name = runtime.value().name; });
  run.set_runtime(std::move(runtime.value()));
  return {};
}

void PluginSupervision::show_progress(const WorkerRun& run) {
  status_.change([&](PluginFacts& facts) {
    facts.pid = run.pid();
    facts.start_steps = run.steps();
    facts.limits = run.limits();
    facts.heartbeat = run.heartbeat();
    facts.runtime_name = run.runtime_name();
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
        facts.last_reload_unix_ms = run.is_adopted() ? facts.started_at_unix_ms : now_unix_ms();
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
    if (!failure && ended_without_fault(run)) co_return Start::over;
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

// The plugin runs. Returns when it has ended; the state is then STOPPING when
// that was wanted, RUNNING when it crashed.
asio::awaitable<void> PluginSupervision::serve(WorkerRun& run) {
  run.watch_heartbeat();
  for (;;) {
    const auto seen = changed_.version();
    if (!wants_worker() || reload_wanted_ || obstacle()) {
      run.heartbeat()->end();
      co_await stop_run(run, stop_reason());
      co_return;
    }
    if (run.exited() || run.link_lost() || run.stuck() || run.unwell()) break;
    if (auto metadata = run.take_metadata()) take_metadata(std::move(*metadata));
    if (settled_ < wish_) {
      settled_ = wish_;
      settled_signal_.notify();
    }
    co_await changed_.changed_since(seen);
  }
  run.heartbeat()->end();
  std::optional<Failure> hung;
  if (run.exited() || run.link_lost()) {
    // It ended without us.
  } else if (run.stuck()) {
    hung = co_await end_stuck(run);
  } else if (run.unwell()) {
    hung = co_await end_unwell(run);
  }
  // The stream and the process end within a moment of each other: wait for the
  // process, whose end tells more, before giving up on it.
  const auto deadline = Clock::now() + 1s;
  while (!run.exited()) {
    const bool woken = co_await changed_.changed_since(changed_.version(), deadline);
    if (!woken) break;
  }
  const bool link_only = !run.exited() && !hung;
  if (link_only) co_await run.stop("link_lost", 0ms);
  co_await run.finish();
  auto failure = hung ? *hung : run.death("run");
  if (link_only) failure = link_lost_failure(key_, std::move(failure));
  status_.change([&](PluginFacts& facts) {
    facts.failure = failure;
    facts.last_crash = failure;
    facts.link.reset();
  });
  close_link(run, failure);
  note(v1::LOG_LEVEL_ERROR, failure.message());
  logs::log_event(spdlog::level::warn, "worker.crashed",
                  {{"plugin", key_},
                   {"generation", facts().generation},
                   {"reason", reason_code(failure.reason())},
                   {"signal", failure.signal()},
                   {"exit_code", failure.exit_code()}});
}

// A call holds on to the worker long after its deadline: only the end of the
// process ends it. Where it hangs is the evidence.
asio::awaitable<Failure> PluginSupervision::end_stuck(WorkerRun& run) {
  const auto call = *run.stuck();
  auto asking = run.ask_for_stacks(Clock::now() + 2s);
  const auto stacks = co_await std::move(asking);
  auto failure = call_stuck_failure(key_, call.name, call.since, stacks);
  co_await run.stop("stuck", 0ms);
  co_return failure;
}

// Its heartbeat has given it up.
asio::awaitable<Failure> PluginSupervision::end_unwell(WorkerRun& run) {
  const auto& limits = context_.options.pulse;
  if (run.unwell() == v1::PULSE_WEDGED) {
    auto asking = run.ask_for_stacks(Clock::now() + 2s);
    const auto stacks = co_await std::move(asking);
    auto failure = worker_wedged_failure(key_, limits.wedged_after, stacks);
    co_await run.stop("wedged", 0ms);
    co_return failure;
  }
  auto failure = worker_silent_failure(key_, limits.silent_after, run.silent_process());
  co_await run.stop("silent", 0ms);
  co_return failure;
}

asio::awaitable<Outcome<std::string>> PluginSupervision::dump_stacks(Clock::time_point deadline) {
  const auto keep = shared_from_this();
  const auto run = run_ == nullptr ? nullptr : run_->shared_from_this();
  if (!run || !run->attached()) co_return no_worker_failure(key_);
  auto asking = run->ask_for_stacks(deadline);
  auto stacks = co_await std::move(asking);
  if (!stacks.empty()) co_return stacks;
  if (run->exited()) co_return worker_ended_failure(key_);
  const auto stat = sys::process_stat(run->pid());
  co_return stacks_timeout_failure(key_, stat && stat->state == 'T');
}

asio::awaitable<void> PluginSupervision::stop_run(WorkerRun& run, const std::string& reason) {
  enter(v1::PLUGIN_STATE_STOPPING);
  note(v1::LOG_LEVEL_INFO, "stopping (" + reason + ")");
  if (kill_wanted_) {
    co_await run.kill(reason);
  } else {
    co_await run.stop(reason, run.loaded() ? stop_timeout() : 0ms);
  }
  co_await run.finish();
  close_link(run, call_cancelled_failure(key_, reason));
}

// Tells those who wait for the worker that it is gone, and why.
void PluginSupervision::close_link(WorkerRun& run, const Failure& why) {
  run.link()->close(why);
  context_.jobs.end_tasks(key_, run.generation(), why);
}

// --- Showing ---------------------------------------------------------------------

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
  if (on_metadata) on_metadata(*this);
}

void PluginSupervision::enter(v1::PluginState state, std::optional<Failure> failure) {
  const auto from = facts().state;
  if (from != state && !is_allowed(from, state))
    logs::log_event(spdlog::level::critical, "state.forbidden",
                    {{"plugin", key_}, {"from", state_name(from)}, {"to", state_name(state)}});
  assert(from == state || is_allowed(from, state));
  status_.change([&](PluginFacts& facts) {
    facts.state = state;
    facts.failure = std::move(failure);
    if (state == v1::PLUGIN_STATE_STOPPING) facts.link.reset();
    if (from == state) return;
    auto& step = facts.life.emplace_back();
    step.set_time_unix_ms(now_unix_ms());
    step.set_generation(facts.generation);
    step.set_from(from);
    step.set_to(state);
    if (facts.failure) *step.mutable_failure() = *facts.failure;
    // A first crash is followed by a start at once: its step tells of it.
    if (!facts.failure && crash_untold_ && facts.last_crash)
      *step.mutable_failure() = *facts.last_crash;
    crash_untold_ = false;
    if (facts.life.size() > max_life_events) facts.life.pop_front();
  });
  if (from == state) return;
  logs::log_event(spdlog::level::info, "plugin.state",
                  {{"plugin", key_}, {"from", state_name(from)}, {"to", state_name(state)}});
  v1::WatchEvent event;
  auto& change = *event.mutable_state_changed();
  change.set_key(key_);
  change.set_from(from);
  *change.mutable_worker() = status_.worker();
  context_.bus.publish(std::move(event));
}

void PluginSupervision::note(v1::LogLevel level, const std::string& text) {
  v1::LogLine line;
  line.set_time_unix_us(now_unix_ms() * 1000);
  line.set_level(level);
  line.set_source(v1::LOG_SOURCE_SUPERVISOR);
  line.set_generation(facts().generation);
  line.set_text(text);
  log_book_->append(std::move(line));
}

void PluginSupervision::result_safe(std::uint64_t generation, const std::string& job_id) const {
  const auto serving = status_.serving();
  if (serving.has_value() && serving.value().generation == generation)
    serving.value().link->result_safe(job_id);
}

Outcome<std::uint64_t> PluginSupervision::serving_generation() const {
  auto serving = status_.serving();
  if (serving.has_value()) return serving.value().generation;
  meter_->refused(serving.error().reason());
  return serving.error();
}

PluginSupervision::CallHandle PluginSupervision::invoke(link::WorkerLink::Call call,
                                                        std::chrono::milliseconds timeout,
                                                        link::WorkerLink::Done done) {
  auto serving = status_.serving();
  if (serving.has_error()) {
    meter_->refused(serving.error().reason());
    done(std::move(serving.error()));
    return {};
  }
  const auto& [link, generation, call_timeout] = serving.value();
  if (timeout == 0ms) timeout = call_timeout == 0ms ? context_.options.call_timeout : call_timeout;
  if (timeout != no_timeout) call.deadline = Clock::now() + timeout;
  const auto id = link->invoke(std::move(call), meter_->timed(std::move(done)));
  return {link, id};
}

}  // namespace supervisor::lifecycle
