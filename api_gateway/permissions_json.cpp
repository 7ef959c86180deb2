#include "api_gateway/permissions_json.h"

#include "api_gateway/json_text.h"
#include "api_gateway/plugin_json.h"
#include "supervisor/sandbox/permissions.h"

namespace gateway {

using supervisor::sandbox::permissions_json;

void append_permissions(std::string& out, const plugin_supervisor::v1::Plugin& plugin) {
  ObjectWriter object(out);
  const auto& report = plugin.permissions();
  const auto raw = [&object](const char* name, bool known, const auto& permissions) {
    const bool empty = permissions.ByteSizeLong() == 0;  // As of most plugins.
    object.raw(name, !known ? "" : empty ? "{}" : permissions_json(permissions));
  };
  raw("asked", report.has_asked(), report.asked());
  raw("granted", report.has_granted(), report.granted());
  raw("effective", true, report.effective());
  raw("waiting", report.has_waiting(), report.waiting());
  object.text_or_null("granted_by", report.granted_by());
  append_time(object.member("granted_at"), report.granted_unix_ms());
  object.boolean("outdated", report.outdated());
}

}  // namespace gateway
