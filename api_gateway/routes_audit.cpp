// Who has changed or controlled what.
#include "api_gateway/audit_json.h"
#include "api_gateway/query.h"
#include "api_gateway/routes.h"
#include "supervisor/sys/unix_time.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;
using supervisor::make_failure;

constexpr std::uint64_t max_limit = 1000;
constexpr std::uint64_t max_seconds = 100ULL * 365 * 24 * 3600;
constexpr std::uint64_t max_id = 1ULL << 53;

// UNSPECIFIED for no action, nothing for an unknown one.
std::optional<v1::AuditAction> action_of(const std::optional<std::string>& word) {
  if (!word || word->empty()) return v1::AUDIT_ACTION_UNSPECIFIED;
  const auto* const actions = v1::AuditAction_descriptor();
  for (int i = 0; i < actions->value_count(); ++i)
    if (supervisor::lower_without_prefix(actions->value(i)->name(), "AUDIT_ACTION_") == *word)
      return static_cast<v1::AuditAction>(actions->value(i)->number());
  return std::nullopt;
}

}  // namespace

Awaitable<Reply> Routes::audit(const RequestHead& head, CallInFlight& in_flight) const {
  const Query query(head.target);
  const auto limit = query.number("limit", 0, max_limit);
  if (limit.has_error()) co_return reply_to(limit.error());
  const auto since = query.number("since", 0, max_seconds);
  if (since.has_error()) co_return reply_to(since.error());
  const auto before = query.number("before", 0, max_id);
  if (before.has_error()) co_return reply_to(before.error());
  const auto action = action_of(query.text("action"));
  if (!action)
    co_return reply_to(
        make_failure(v1::REASON_INVALID_REQUEST, "parse", "There is no such action in 'action'."));
  v1::ListAuditRequest request;
  request.set_key(query.text("plugin").value_or(""));
  request.set_action(*action);
  request.set_actor(query.text("actor").value_or(""));
  if (*since > 0)
    request.set_since_unix_ms(supervisor::sys::unix_ms() -
                              static_cast<std::int64_t>(*since) * 1000);
  request.set_before_id(static_cast<std::int64_t>(*before));
  request.set_limit(static_cast<std::uint32_t>(*limit));
  const auto listed = co_await supervisor_.call(&v1::Audit::Stub::AsyncList, request, in_flight);
  if (listed.has_error()) co_return reply_to(listed.error());
  Reply reply;
  reply.body = R"({"entries":[)";
  for (int i = 0; i < listed->entries_size(); ++i) {
    if (i > 0) reply.body += ',';
    append_audit_entry(reply.body, listed->entries(i));
  }
  reply.body += "]}";
  co_return reply;
}

}  // namespace gateway
