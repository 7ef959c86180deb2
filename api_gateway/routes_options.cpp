// What an admin has set for one plugin: GET shows it, PUT replaces it, PATCH
// changes single members; null takes the daemon's default again.
#include "api_gateway/json_text.h"
#include "api_gateway/routes.h"
#include "supervisor/sys/plugin_options.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;
using Stub = v1::Plugins::Stub;

Reply options_reply(const v1::Plugin& plugin) {
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    object.text("key", plugin.key());
    object.raw("options", supervisor::sys::plugin_options_json(plugin.options(), true));
  }
  return reply;
}

}  // namespace

Awaitable<Reply> Routes::plugin_options(const RequestHead& head, const Route& route,
                                        std::string_view body, CallInFlight& in_flight) const {
  using boost::beast::http::verb;
  v1::PluginOptions before;
  if (head.method != verb::put) {
    v1::GetPluginRequest request;
    request.set_key(route.key);
    const auto plugin = co_await supervisor_.call(&Stub::AsyncGet, request, in_flight);
    if (plugin.has_error()) co_return reply_to(plugin.error(), route.key);
    if (head.method != verb::patch) co_return options_reply(*plugin);
    before = plugin->options();
  }
  auto changed = supervisor::sys::with_changes(std::move(before), body);
  if (changed.has_error()) co_return reply_to(changed.error(), route.key);
  v1::SetOptionsRequest request;
  request.set_key(route.key);
  *request.mutable_options() = std::move(*changed);
  const auto plugin = co_await supervisor_.call(&Stub::AsyncSetOptions, request, in_flight);
  if (plugin.has_error()) co_return reply_to(plugin.error(), route.key);
  co_return options_reply(*plugin);
}

}  // namespace gateway
