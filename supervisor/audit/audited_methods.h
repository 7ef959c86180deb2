// Which calls leave an entry in the audit trail: a decision for every method
// that is served. A test fails when a method has none.
#pragma once

#include <string_view>
#include <vector>

#include "plugin_supervisor/v1/audit_service.pb.h"

namespace supervisor::audit {

namespace v1 = plugin_supervisor::v1;

struct AuditDecision {
  std::string_view method;               // "Plugins.Run"
  std::vector<v1::AuditAction> actions;  // Empty: it leaves none,
  std::string_view why_not = {};         // because of this.
};

const std::vector<AuditDecision>& audit_decisions();

}  // namespace supervisor::audit
