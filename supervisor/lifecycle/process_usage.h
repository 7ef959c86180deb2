// What a process uses, as /proc tells it.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace supervisor::lifecycle {

struct ProcessUsage {
  std::uint64_t memory_bytes = 0;  // Resident set.
  double cpu_seconds = 0;          // User and system.
};

/// Zeros when the process is gone. proc(5): stat, fields 14, 15 and 24.
ProcessUsage process_usage(pid_t pid);

}  // namespace supervisor::lifecycle
