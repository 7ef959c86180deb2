#include "supervisor/lifecycle/restart_policy.h"

namespace supervisor::lifecycle {

RestartDecision decide_restart(const RestartPolicy& policy, CrashLedger ledger,
                               std::chrono::milliseconds ran_for) {
  if (ran_for >= policy.stable_after) ledger.crashes_in_a_row = 0;
  ++ledger.crashes_in_a_row;
  std::chrono::milliseconds delay{0};
  if (ledger.crashes_in_a_row > 1) {
    delay = policy.first_delay;
    for (std::uint32_t i = 2; i < ledger.crashes_in_a_row && delay < policy.max_delay; ++i)
      delay *= 2;
    if (delay > policy.max_delay) delay = policy.max_delay;
  }
  return {ledger, delay};
}

}  // namespace supervisor::lifecycle
