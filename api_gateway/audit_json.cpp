#include "api_gateway/audit_json.h"

#include "api_gateway/json_text.h"
#include "api_gateway/plugin_json.h"

namespace gateway {

void append_audit_entry(std::string& out, const plugin_supervisor::v1::AuditEntry& entry) {
  ObjectWriter object(out);
  object.integer("id", entry.id());
  append_time(object.member("at"), entry.time_unix_us() / 1000);
  object.text("actor", entry.caller().actor());
  object.text_or_null("on_behalf_of", entry.caller().on_behalf_of());
  object.text("origin", entry.caller().origin());
  object.text_or_null("client", entry.caller().client());
  object.text_or_null("request_id", entry.caller().request_id());
  object.text_or_null("plugin", entry.plugin());
  object.text("action", entry.action());
  object.raw("details", entry.details_json(), "{}");
  object.text("outcome", entry.reason().empty() ? "done" : "refused");
  object.text_or_null("reason", entry.reason());
}

}  // namespace gateway
