// A pipe through which a child is told something: a secret stays outside of its
// arguments and environment.
#pragma once

#include <string_view>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::sys {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

/// Both ends, close-on-exec. Throws std::system_error.
Pipe make_pipe();

/// Writes `content`, which must fit into an empty pipe (4096 bytes always do,
/// 64 KiB on Linux), and closes the end: the reader finds its end behind it.
/// Throws std::system_error; EPIPE when nobody reads any more.
void fill_pipe(UniqueFd write, std::string_view content);

}  // namespace supervisor::sys
