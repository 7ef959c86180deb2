// What a plugin may do, as the API shows it.
#pragma once

#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"

namespace gateway {

/// {asked, granted, effective, waiting, granted_by, granted_at, outdated}: the
/// permissions as they stand in a plugin.json. null: nothing is asked, nobody
/// has granted anything.
void append_permissions(std::string& out, const plugin_supervisor::v1::Plugin& plugin);

}  // namespace gateway
