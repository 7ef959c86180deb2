// The bodies that requests bring, checked. What belongs to the plugin (params,
// settings) stays the very bytes the client sent.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/sys/failure.h"

namespace gateway {

/// A call of run() or resolve_ui_resource(). `params` points into the body.
struct CallBody {
  std::string name;         // Action or resource id.
  std::string_view params;  // A JSON object, or empty for {}.
};

/// {"action": id, "params": {...}}.
supervisor::Outcome<CallBody> parse_run(std::string_view body);

/// {"resource": id, "params": {...}}.
supervisor::Outcome<CallBody> parse_resource(std::string_view body);

struct EnableBody {
  bool enabled = false;
  bool grant_asked = false;
};

/// {"enabled": true, "grant": "asked"}, the latter optional; for true also 0/1 and, in any case,
/// "true" "1" "yes" "y" "on" and "false" "0" "no" "n" "off".
supervisor::Outcome<EnableBody> parse_enabled(std::string_view body);

/// {"settings": {...}}: the inner object, pointing into the body.
supervisor::Outcome<std::string_view> parse_settings(std::string_view body);

/// Whether a Content-Type announces JSON. A missing one is taken for it.
bool is_json_type(std::string_view content_type);

}  // namespace gateway
