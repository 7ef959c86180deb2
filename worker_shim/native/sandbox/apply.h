// Puts this process into its sandbox, as planned by the supervisor: one list of
// steps, in the one order that works.
#pragma once

#include "plugin_supervisor/v1/sandbox.pb.h"

namespace plugin_worker::sandbox {

namespace v1 = plugin_supervisor::v1;

/// On the process's only thread, before anything of the plugin is touched. Goes
/// on when a step fails: whether that is bearable is for the supervisor to say,
/// before it sends what to load. Nothing can be undone.
v1::SandboxOutcome apply(const v1::SandboxPlan& plan);

}  // namespace plugin_worker::sandbox
