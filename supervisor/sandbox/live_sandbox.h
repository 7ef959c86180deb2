// The sandbox of a process as the kernel shows it in /proc: not what was meant
// to be done, but what is.
#pragma once

#include <sys/types.h>

#include <optional>

#include "plugin_supervisor/v1/sandbox.pb.h"
#include "supervisor/sandbox/protections.h"

namespace supervisor::sandbox {

/// Of the worker `pid`. `outcome` is what it told before anything of its plugin
/// was loaded: for what the kernel does not show. `host_network`: it was granted
/// the host's network. Nothing when there is no such process. A few dozen system
/// calls; any thread.
std::optional<v1::SandboxReport> read_sandbox(pid_t pid, const v1::SandboxOutcome& outcome,
                                              const ProtectionModes& modes, bool host_network);

}  // namespace supervisor::sandbox
