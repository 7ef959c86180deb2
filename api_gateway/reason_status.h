// Which HTTP status each reason has. The one place that says so.
#pragma once

#include "plugin_supervisor/v1/reason.pb.h"

namespace gateway {

struct HttpStatus {
  unsigned code;
  unsigned retry_after_seconds;  // 0 = no Retry-After header.
};

/// 500 for a reason that a newer supervisor knows and this gateway does not.
HttpStatus status_of(plugin_supervisor::v1::Reason reason);

/// False for such a reason.
bool has_status(plugin_supervisor::v1::Reason reason);

}  // namespace gateway
