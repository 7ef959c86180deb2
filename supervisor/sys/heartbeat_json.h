// The heartbeat of a worker as JSON, the same for the gateway and pluginctl.
#pragma once

#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"

namespace supervisor::sys {

namespace v1 = plugin_supervisor::v1;

/// "well", "busy", "wedged", "stopped", "silent".
std::string pulse_name(v1::Pulse pulse);

/// {"pulse": name, "since_unix_ms", "round_trip_us", "interpreter_wait_us"}.
std::string heartbeat_json(const v1::Heartbeat& heartbeat);

}  // namespace supervisor::sys
