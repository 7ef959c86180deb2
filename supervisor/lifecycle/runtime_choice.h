// Which runtime a plugin is to have: an admin's word (its options) over the
// plugin's own ("runtime" in the permissions of its plugin.json). Pure.
#pragma once

#include <string>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "supervisor/spawner/profile_set.h"

namespace supervisor::lifecycle {

spawner::RuntimeChoice runtime_choice(const plugin_supervisor::v1::Permissions& permissions,
                                      const std::string& profile_option);

}  // namespace supervisor::lifecycle
