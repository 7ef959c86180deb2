// The system calls a worker may make, as programs for seccomp(2). Compiled once
// by libseccomp, for each policy there is; loading one takes microseconds.
//
// Two programs, of which the stricter answer counts: one lists what may be
// called at all, the other what may not be called so. What neither knows gives
// ENOSYS, as on a kernel without it, so that libraries take their other way.
#pragma once

#include <string>

#include "supervisor/sys/failure.h"

namespace supervisor::sandbox {

struct SeccompPolicy {
  bool internet = false;  // AF_INET and AF_INET6 sockets; else EACCES.
  bool datagrams = true;  // UDP among these; else EACCES.
  bool execute = false;   // Programs; else EACCES.
  bool ipc = false;       // System V IPC and POSIX queues; else EACCES.

  // NOLINTNEXTLINE(modernize-use-nullptr): of the comparison that it defaults.
  friend auto operator<=>(const SeccompPolicy&, const SeccompPolicy&) = default;
};

/// Arrays of struct sock_filter. They fail with INTERNAL when libseccomp does.
///
/// What there is at all, for every worker; also what makes its sandbox, so that
/// it can be loaded before. The other is loaded last, and takes that away.
Outcome<std::string> compile_allowed_calls();
Outcome<std::string> compile_refused_calls(const SeccompPolicy& policy);

}  // namespace supervisor::sandbox
