// What /proc/<pid>/stat says of a process (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace supervisor::sys {

struct ProcessStat {
  char state = '?';                // R, S, D, T (stopped), Z (zombie), ...
  pid_t parent = 0;                // 0 when it lies outside of our PID namespace.
  double cpu_seconds = 0;          // User and system time.
  std::uint64_t memory_bytes = 0;  // Resident set.
  std::uint64_t started = 0;       // In clock ticks since boot; with the pid and
                                   // the boot it names one process for ever.
};

/// Nothing when there is no such process.
std::optional<ProcessStat> process_stat(pid_t pid);

}  // namespace supervisor::sys
