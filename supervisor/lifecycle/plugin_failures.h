// What is said when something of a plugin's life goes wrong. Pure functions.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/lifecycle/restart_policy.h"
#include "supervisor/sys/failure.h"

namespace supervisor::lifecycle {

/// It crashed too often. `last_crash` is the evidence.
Failure quarantine_failure(const std::string& key, const CrashLedger& ledger,
                           const RestartPolicy& policy, const std::optional<Failure>& last_crash);

Failure attach_timeout_failure(const std::string& key, std::chrono::milliseconds patience);

/// `stacks` of the threads as they were then tell the step; empty when the
/// worker did not tell them.
Failure load_timeout_failure(const std::string& key, std::chrono::milliseconds patience,
                             const std::string& stacks);

/// A call went on for `since` after it was cancelled.
Failure call_stuck_failure(const std::string& key, const std::string& call,
                           std::chrono::milliseconds since, const std::string& stacks);

/// C code has kept the interpreter for `limit`.
Failure worker_wedged_failure(const std::string& key, std::chrono::milliseconds limit,
                              const std::string& stacks);

/// What the kernel shows of a process whose worker says nothing.
struct SilentProcess {
  pid_t pid = 0;
  char state = '?';                     // As in /proc/<pid>/stat.
  double cpu_seconds = 0;               // Processor time since it fell silent.
  std::string sleeps_in;                // A function of the kernel; empty when not known.
  std::vector<std::string> last_texts;  // What it said last.
};
/// It has not answered for `limit`.
Failure worker_silent_failure(const std::string& key, std::chrono::milliseconds limit,
                              const SilentProcess& process);

/// Its process lives, or did, without a link. `death` tells how it ended.
/// `cut_because`: what it said that no worker says; empty when it closed the link.
Failure link_lost_failure(const std::string& key, Failure death, const std::string& cut_because);

/// It was stopped before it answered a call.
Failure call_cancelled_failure(const std::string& key, const std::string& reason);

/// A fault of the supervisor itself.
Failure broken_supervision_failure(const std::string& key, const std::string& error);

/// There is no worker that could tell its stacks, or no more.
Failure no_worker_failure(const std::string& key);
Failure worker_ended_failure(const std::string& key);
Failure stacks_timeout_failure(const std::string& key, bool process_is_stopped);

}  // namespace supervisor::lifecycle
