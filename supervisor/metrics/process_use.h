// What a process uses, read from /proc when a scraper asks.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "supervisor/metrics/exposition.h"

namespace supervisor::metrics {

/// Open descriptors of a process; nothing when it is gone or not ours to see.
std::optional<std::size_t> open_descriptors(pid_t pid);

/// Adds memory, processor time, descriptors and age of this process, under
/// names that begin with `prefix`.
void append_own_use(Exposition& exposition, const std::string& prefix);

}  // namespace supervisor::metrics
