// Whether and when to start a worker again after it ended by itself. A pure
// function of the policy, what happened so far, the time and a random number.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace supervisor::lifecycle {

enum class RestartMode {
  always,      // However it ended.
  on_failure,  // Unless it exited with code 0.
  never,
};

struct RestartPolicy {
  RestartMode mode = RestartMode::always;
  std::chrono::milliseconds first_delay{1000};    // Before the second restart in a row.
  std::chrono::milliseconds max_delay{60000};     // The delay doubles up to this.
  double jitter = 0.2;                            // A delay is up to this share shorter.
  std::chrono::milliseconds stable_after{60000};  // Running this long begins a new row.
  std::uint32_t quarantine_after = 5;             // Crashes within `period`; 0 = never.
  std::chrono::milliseconds period{600000};
};

/// What happened to one plugin. Kept in the database, so that it outlives the
/// worker, the daemon and the machine; times are Unix milliseconds.
struct CrashLedger {
  std::uint32_t crashes_in_a_row = 0;
  std::vector<std::int64_t> recent;  // Crashes within the period, oldest first.
  std::int64_t quarantined_at = 0;   // 0 = it is not.
  std::int64_t next_start = 0;       // No start before this; 0 = at once.
};

/// How a worker ended that nobody had asked to.
struct Ending {
  bool failed = true;  // Anything but exit code 0.
  std::chrono::milliseconds ran_for{0};
};

struct RestartDecision {
  enum class Action { start, stay_stopped, quarantine };
  Action action = Action::start;
  CrashLedger ledger;  // With this ending in it; next_start says when.
};

/// The first crash (after a stable time, or ever) restarts at once; each
/// further one waits twice as long as the one before. `random` is in [0, 1).
RestartDecision decide_restart(const RestartPolicy& policy, CrashLedger ledger,
                               std::int64_t now_unix_ms, const Ending& ending, double random);

}  // namespace supervisor::lifecycle
