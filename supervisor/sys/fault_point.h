// Places at which a test can have the process killed, to see what the next one
// makes of it. Does nothing unless the environment names the place.
#pragma once

#include <string_view>

namespace supervisor::sys {

/// The environment variable: "NAME", or "NAME:2" for the second time.
inline constexpr const char* fault_point_variable = "PLUGIN_SUPERVISOR_FAULT_POINT";

/// Ends this process by SIGKILL here, if it was told to.
void fault_point(std::string_view name);

}  // namespace supervisor::sys
