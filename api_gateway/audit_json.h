// The audit trail as the API shows it. Pure functions.
#pragma once

#include <string>

#include "plugin_supervisor/v1/audit_service.pb.h"

namespace gateway {

/// Appends an entry as an object.
void append_audit_entry(std::string& out, const plugin_supervisor::v1::AuditEntry& entry);

}  // namespace gateway
