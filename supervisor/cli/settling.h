// What enable and disable make of the state that a plugin has reached.
#pragma once

#include <optional>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::cli {

/// Nothing when `plugin` is as asked for: it runs, or no process of it is
/// left. Otherwise why not.
std::optional<Failure> unsettled(const v1::Plugin& plugin, bool wanted_enabled);

}  // namespace supervisor::cli
