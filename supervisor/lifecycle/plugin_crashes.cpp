// The part of a PluginSupervision that counts crashes, and waits after them.
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <random>

#include "supervisor/lifecycle/plugin_failures.h"
#include "supervisor/lifecycle/plugin_supervision.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

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

PluginSupervision::Hold PluginSupervision::hold() const {
  if (ledger_.quarantined_at != 0) return Hold::quarantine;
  return ledger_.next_start > sys::unix_ms() ? Hold::backoff : Hold::none;
}

asio::awaitable<void> PluginSupervision::wait_in(Hold hold) {
  if (hold == Hold::quarantine) {
    enter(v1::PLUGIN_STATE_QUARANTINED,
          quarantine_failure(key_, ledger_, context_.options.restart, facts().last_crash));
    co_await rest(Clock::time_point::max());
    co_return;
  }
  // A clock that was set back must not make the wait longer than any delay is.
  const auto wait = std::min(std::chrono::milliseconds(ledger_.next_start - sys::unix_ms()),
                             context_.options.restart.max_delay);
  const auto next_start = sys::unix_ms() + wait.count();
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
  auto decision = decide_restart(context_.options.restart, std::move(ledger_), sys::unix_ms(),
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

// Its worker ended while there was no supervisor.
void PluginSupervision::take_lost_end(WorkerRun& run) {
  if (run.ended_without_fault()) return;
  auto failure = run.death("run");
  failure.set_message(failure.message() + " No supervisor was running at that time.");
  end_adoption(&failure);
  note(v1::LOG_LEVEL_ERROR, failure.message());
  status_.change([&](PluginFacts& facts) { facts.last_crash = std::move(failure); });
  take_crash(run, 0ms);
}

}  // namespace supervisor::lifecycle
