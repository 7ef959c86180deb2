// Which runtime a plugin is to have: an admin's word (its options) over the
// plugin's own ("runtime" in the permissions of its plugin.json). Pure.
#pragma once

#include <string>

#include "supervisor/spawner/profile_set.h"
#include "supervisor/sys/failure.h"

namespace supervisor::lifecycle {

/// LAUNCH_FAILED, step "profile", when the plugin asks for something that is
/// no runtime: {"runtime": {"profile": "x", "python": "/x/bin/python3",
/// "gevent": true}}. `permissions_json` may be empty; `profile_option` wins.
Outcome<spawner::RuntimeChoice> runtime_choice(const std::string& permissions_json,
                                               const std::string& profile_option,
                                               const std::string& plugin);

}  // namespace supervisor::lifecycle
