#include "supervisor/lifecycle/restart_policy.h"

#include <algorithm>

namespace supervisor::lifecycle {
namespace {

std::chrono::milliseconds backoff(const RestartPolicy& policy, std::uint32_t crashes_in_a_row,
                                  double random) {
  if (crashes_in_a_row < 2) return std::chrono::milliseconds(0);
  auto delay = policy.first_delay;
  for (std::uint32_t i = 2; i < crashes_in_a_row && delay < policy.max_delay; ++i) delay *= 2;
  delay = std::min(delay, policy.max_delay);
  // Only ever shorter: plugins that crashed together do not come back together,
  // and the longest delay stays the one that was configured.
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
      static_cast<double>(delay.count()) * (1 - policy.jitter * random)));
}

}  // namespace

RestartDecision decide_restart(const RestartPolicy& policy, CrashLedger ledger,
                               std::int64_t now_unix_ms, const Ending& ending, double random) {
  using Action = RestartDecision::Action;
  if (ending.ran_for >= policy.stable_after) ledger.crashes_in_a_row = 0;
  if (!ending.failed && policy.mode != RestartMode::always)
    return {Action::stay_stopped, std::move(ledger)};
  ++ledger.crashes_in_a_row;
  ledger.recent.push_back(now_unix_ms);
  // A clock that was set back leaves crashes of the future: they count as now.
  std::erase_if(ledger.recent,
                [&](std::int64_t at) { return now_unix_ms - at > policy.period.count(); });
  if (policy.mode == RestartMode::never) return {Action::stay_stopped, std::move(ledger)};
  if (policy.quarantine_after != 0 && ledger.recent.size() >= policy.quarantine_after) {
    ledger.quarantined_at = now_unix_ms;
    ledger.next_start = 0;
    return {Action::quarantine, std::move(ledger)};
  }
  const auto delay = backoff(policy, ledger.crashes_in_a_row, random);
  ledger.next_start = delay.count() == 0 ? 0 : now_unix_ms + delay.count();
  return {Action::start, std::move(ledger)};
}

}  // namespace supervisor::lifecycle
