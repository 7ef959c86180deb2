// How many descriptors a process has open.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace supervisor::sys {

/// 0 when there is no such process, or it may not be looked at.
std::uint32_t open_files(pid_t pid);

}  // namespace supervisor::sys
