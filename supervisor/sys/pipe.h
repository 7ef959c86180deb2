// A pipe that is filled before anybody reads it: how a secret is handed to a
// child, outside of its arguments and environment.
#pragma once

#include <string_view>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::sys {

/// The read end of a pipe that holds `content` and then ends. Close-on-exec.
/// `content` must fit into a pipe (4096 bytes always do). Throws
/// std::system_error.
UniqueFd pipe_holding(std::string_view content);

}  // namespace supervisor::sys
