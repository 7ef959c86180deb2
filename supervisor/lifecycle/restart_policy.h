// When to start a worker again after it crashed. A pure function of the
// policy, what happened so far and the time.
#pragma once

#include <chrono>
#include <cstdint>

namespace supervisor::lifecycle {

struct RestartPolicy {
  std::chrono::milliseconds first_delay{1000};    // Before the second restart in a row.
  std::chrono::milliseconds max_delay{60000};     // The delay doubles up to this.
  std::chrono::milliseconds stable_after{60000};  // Running this long forgives all.
};

/// What happened to one plugin since it was enabled or reloaded.
struct CrashLedger {
  std::uint32_t crashes_in_a_row = 0;
};

struct RestartDecision {
  CrashLedger ledger;               // The ledger with this crash in it.
  std::chrono::milliseconds delay;  // 0 = start at once.
};

/// The first crash (after a stable time, or ever) restarts at once; each
/// further one waits twice as long as the one before.
RestartDecision decide_restart(const RestartPolicy& policy, CrashLedger ledger,
                               std::chrono::milliseconds ran_for);

}  // namespace supervisor::lifecycle
