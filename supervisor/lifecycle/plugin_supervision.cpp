#include "supervisor/lifecycle/plugin_supervision.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>

#include "supervisor/lifecycle/plugin_failures.h"
#include "supervisor/lifecycle/plugin_state.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/process_stat.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_life_events = 50;

}  // namespace

PluginSupervision::PluginSupervision(SupervisionContext& context, std::string key)
    : context_(context),
      key_(std::move(key)),
      log_book_(context.logs.book(key_)),
      meter_(context.meters.plugin(key_)),
      changed_(context.core),
      settled_signal_(context.core),
      status_(key_) {}

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

void PluginSupervision::break_off(const std::string& error) {
  const auto why = broken_supervision_failure(key_, error);
  if (const auto link = facts().link) link->close(why);
  run_ = nullptr;
  status_.change([&](PluginFacts& facts) {
    facts.forget_worker();
    facts.failure = why;
  });
  ended_ = true;
  settled_signal_.notify();
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
      std::chrono::milliseconds(std::max<std::int64_t>(0, sys::unix_ms() - started));
  co_await live(*run, Clock::now() - ran_for);
  run.reset();
  co_await wait_to_load_again();
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

// The plugin runs. Returns when it has ended; the state is then STOPPING when
// that was wanted, RUNNING when it crashed.
asio::awaitable<void> PluginSupervision::serve(WorkerRun& run) {
  run.watch_heartbeat();
  status_.change([&](PluginFacts& facts) { facts.sandbox = run.sandbox().report(run.pid()); });
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
    run.release_runtime();  // Whoever waited for the start has the thread first.
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
  // One that loses its link may end by itself: that is not the cause.
  const bool was_cut = !hung && !run.cut_because().empty();
  if (link_only || was_cut)
    failure = link_lost_failure(key_, std::move(failure), run.cut_because());
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
  run.note_wanted_end();
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
    step.set_time_unix_ms(sys::unix_ms());
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
  line.set_time_unix_us(sys::unix_ms() * 1000);
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
