// What an entry of the audit trail says of a change, as a JSON object. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "plugin_supervisor/v1/options.pb.h"
#include "plugin_supervisor/v1/permissions.pb.h"

namespace supervisor::audit {

namespace v1 = plugin_supervisor::v1;

/// {"keys": ["url"]}: the names of what differs, and no value: any of them may
/// be a password. Both are JSON objects.
std::string settings_details(std::string_view before, std::string_view after);

/// {"set": {"memory_bytes": 1024, "cpus": null}}: what differs, as it is now;
/// null = the default.
std::string options_details(const v1::PluginOptions& before, const v1::PluginOptions& after);

/// {"granted": ["exec=ffmpeg"], "revoked": []}
struct GrantDetails {
  std::string json;
  bool only_revokes = false;
};
GrantDetails grant_details(const v1::Permissions& before, const v1::Permissions& after);

/// {"action": "count", "job": "..."}
std::string run_details(const std::string& action, const std::string& job);

}  // namespace supervisor::audit
