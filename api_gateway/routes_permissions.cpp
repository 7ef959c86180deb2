// What one plugin may do: GET shows it, PUT replaces what is granted by an
// object as it stands in a plugin.json.
#include "api_gateway/json_text.h"
#include "api_gateway/permissions_json.h"
#include "api_gateway/routes.h"
#include "supervisor/sandbox/permissions.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;
using Stub = v1::Plugins::Stub;

Reply permissions_reply(const v1::Plugin& plugin) {
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    object.text("key", plugin.key());
    append_permissions(object.member("permissions"), plugin);
  }
  return reply;
}

}  // namespace

Awaitable<Reply> Routes::permissions(const RequestHead& head, const Route& route,
                                     std::string_view body, CallInFlight& in_flight) const {
  if (head.method != boost::beast::http::verb::put) {
    v1::GetPluginRequest request;
    request.set_key(route.key);
    const auto plugin = co_await supervisor_.call(&Stub::AsyncGet, request, in_flight);
    if (plugin.has_error()) co_return reply_to(plugin.error(), route.key);
    co_return permissions_reply(*plugin);
  }
  // Nothing at all would read as "grant nothing".
  auto granted = supervisor::sandbox::parse_permissions(body.empty() ? "null" : body);
  if (granted.has_error()) {
    auto failure = granted.error();
    failure.set_reason(v1::REASON_INVALID_REQUEST);
    failure.clear_hint();
    co_return reply_to(std::move(failure), route.key);
  }
  v1::SetGrantRequest request;
  request.set_key(route.key);
  *request.mutable_granted() = std::move(*granted);
  request.set_requested_by(caller_name(head));
  const auto plugin = co_await supervisor_.call(&Stub::AsyncSetGrant, request, in_flight);
  if (plugin.has_error()) co_return reply_to(plugin.error(), route.key);
  co_return permissions_reply(*plugin);
}

}  // namespace gateway
