// The limits of a worker as JSON, the same for the gateway and pluginctl.
#pragma once

#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"

namespace supervisor::sys {

namespace v1 = plugin_supervisor::v1;

/// "cgroup_v1", "rlimit", ...
std::string mechanism_name(v1::LimitMechanism mechanism);

/// {"memory_bytes": {"limit": n or null, "by": mechanism, "used": n or null},
/// "cpus", "processes", "open_files"}. What is used is known only where one
/// plugin is asked for. "by" is "none" beside a limit that nothing enforces.
std::string limits_json(const v1::LimitsReport& report);

}  // namespace supervisor::sys
