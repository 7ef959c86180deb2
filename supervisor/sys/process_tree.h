// The processes below another, as /proc/<pid>/task/<tid>/children tells
// (proc(5)): each thread's own children, orphans included that fell to it.
#pragma once

#include <sys/types.h>

#include <vector>

#include "supervisor/sys/pidfd.h"

namespace supervisor::sys {

/// Empty when there is no such process.
std::vector<pid_t> children_of(pid_t pid);

/// Everything below `pid`, those above first. A process that ends meanwhile
/// hands its children on, so that some may be missed: look again.
std::vector<pid_t> descendants_of(pid_t pid);

/// SIGKILL to everything below `root`, which must not have been reaped. Each
/// is held by a descriptor and seen to be its parent's child before it is
/// signalled. Returns how many were; call again until none is.
int kill_descendants(pid_t root);

/// Sends SIGKILL to a worker's init, and with it to all below: where it is
/// process 1 of a PID namespace the kernel sees to them, else this does.
void kill_with_descendants(const Pidfd& init, bool pid_namespace);

}  // namespace supervisor::sys
