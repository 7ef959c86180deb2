#include "supervisor/audit/audited_methods.h"

namespace supervisor::audit {
namespace {

constexpr std::string_view reads = "it only reads";

}  // namespace

const std::vector<AuditDecision>& audit_decisions() {
  static const std::vector<AuditDecision> decisions = {
      {"Plugins.List", {}, reads},
      {"Plugins.Get", {}, reads},
      {"Plugins.GetLogo", {}, reads},
      {"Plugins.Reload", {v1::AUDIT_ACTION_RELOAD}},
      {"Plugins.SetEnabled",
       {v1::AUDIT_ACTION_ENABLE, v1::AUDIT_ACTION_DISABLE, v1::AUDIT_ACTION_GRANT}},
      {"Plugins.SetSettings", {v1::AUDIT_ACTION_SETTINGS}},
      {"Plugins.SetOptions", {v1::AUDIT_ACTION_OPTIONS}},
      {"Plugins.SetGrant", {v1::AUDIT_ACTION_GRANT, v1::AUDIT_ACTION_REVOKE}},
      // Once it has begun: whoever knocks at a plugin that is not there has run
      // nothing, and may do so thousands of times a second. Likewise Jobs.Start.
      {"Plugins.Run", {v1::AUDIT_ACTION_RUN}},
      {"Plugins.ResolveResource", {}, "it asks a plugin what to show, whenever a page is drawn"},
      {"Workers.List", {}, reads},
      {"Workers.Why", {}, reads},
      {"Workers.Logs", {}, reads},
      {"Workers.DumpStacks", {}, reads},
      {"Workers.Control",
       {v1::AUDIT_ACTION_START, v1::AUDIT_ACTION_STOP, v1::AUDIT_ACTION_RESTART,
        v1::AUDIT_ACTION_KILL, v1::AUDIT_ACTION_UNQUARANTINE}},
      {"Workers.Attack", {v1::AUDIT_ACTION_ATTACK}},
      {"Jobs.Start", {v1::AUDIT_ACTION_RUN}},
      {"Jobs.Get", {}, reads},
      {"Jobs.List", {}, reads},
      {"Jobs.Cancel", {v1::AUDIT_ACTION_CANCEL}},
      {"Watch.Watch", {}, reads},
      {"Metrics.Collect", {}, reads},
      {"Audit.List", {}, reads},
      {"WorkerLink.Attach", {}, "workers call it, on sockets of their own"},
  };
  return decisions;
}

}  // namespace supervisor::audit
