#include "api_gateway/routes.h"

#include <algorithm>
#include <cctype>

#include "api_gateway/caller.h"
#include "api_gateway/json_text.h"
#include "api_gateway/plugin_json.h"
#include "api_gateway/request_body.h"
#include "api_gateway/url.h"
#include "supervisor/sys/random.h"
#include "supervisor/sys/utf8_prefix.h"

namespace gateway {
namespace {

namespace http = boost::beast::http;
namespace v1 = plugin_supervisor::v1;
using supervisor::Failure;
using supervisor::make_failure;
using Stub = v1::Plugins::Stub;

// Whoever has a token is an admin.
constexpr Secrets secrets_for_callers = Secrets::shown;

bool takes(const EndpointRules& rules, http::verb method) {
  if (method == http::verb::head) method = http::verb::get;
  const auto name = http::to_string(method);
  // A whole word of the list: no method's name is part of another's.
  return rules.allow.find(std::string_view(name.data(), name.size())) != std::string_view::npos;
}

Reply refuse_path(Endpoint endpoint) {
  if (endpoint == Endpoint::malformed)
    return reply_to(make_failure(v1::REASON_INVALID_REQUEST, "route",
                                 "The path holds a broken percent escape or is not UTF-8."));
  return reply_to(make_failure(v1::REASON_NOT_FOUND, "route", "There is nothing at this path.",
                               "The API begins at /api/plugins/plugins/."));
}

Reply refuse_method(const EndpointRules& rules) {
  Reply reply = reply_to(make_failure(v1::REASON_METHOD_NOT_ALLOWED, "route",
                                      "This path takes only " + std::string(rules.allow) + "."));
  reply.headers.append("Allow: ").append(rules.allow).append("\r\n");
  return reply;
}

Reply refuse_unknown_caller(bool has_credentials) {
  return reply_to(make_failure(
      v1::REASON_UNAUTHENTICATED, "authenticate",
      has_credentials ? "The token is not known." : "Authentication credentials were not provided.",
      "Send the header \"Authorization: Bearer <token>\"."));
}

Reply refuse_media() {
  return reply_to(make_failure(v1::REASON_UNSUPPORTED_MEDIA, "parse",
                               "The body of this request must be JSON.",
                               "Send it with \"Content-Type: application/json\"."));
}

bool reads_body(Endpoint endpoint) {
  return endpoint == Endpoint::settings || endpoint == Endpoint::run ||
         endpoint == Endpoint::enabled || endpoint == Endpoint::resource ||
         endpoint == Endpoint::options || endpoint == Endpoint::permissions;
}

// A failure to reach the plugin names the plugin, and the limit that was hit.
Failure about_call(Failure failure, const std::string& key, std::chrono::milliseconds timeout) {
  if (failure.plugin().empty()) failure.set_plugin(key);
  // Without a hint of the supervisor's, the deadline was the gateway's own.
  if (failure.reason() == v1::REASON_DEADLINE_EXCEEDED && failure.step() == "call")
    failure.set_message("Plugin '" + key + "' gave no answer within " +
                        std::to_string(timeout.count()) +
                        " ms, the gateway's limit for a request.");
  return failure;
}

Reply result_reply(const std::string& result_json) {
  constexpr std::string_view opening = R"({"success":true,"result":)";
  Reply reply;
  reply.body.reserve(opening.size() + result_json.size() + 4);
  reply.body.append(opening);
  reply.body.append(result_json.empty() ? std::string_view("null") : result_json).append("}");
  return reply;
}

}  // namespace

std::string caller_name(const RequestHead& head) {
  constexpr std::size_t max_name = 200;
  if (head.requested_by.empty() || !is_utf8(head.requested_by)) return "api";
  return "api:" + std::string(supervisor::sys::utf8_prefix(head.requested_by, max_name));
}

Routes::Routes(std::vector<std::string> tokens, bool metrics_open, SupervisorClient& supervisor,
               GatewayMeter& meter)
    : metrics_open_(metrics_open), supervisor_(supervisor), meter_(meter) {
  for (auto& token : tokens) {
    auto name = token_name(token);
    tokens_.push_back({std::move(token), std::move(name)});
  }
}

Admission Routes::admit(const RequestHead& head) const {
  Admission admission{route_of(path_of(head.target)), std::nullopt, {}};
  const Endpoint endpoint = admission.route.endpoint;
  if (endpoint == Endpoint::none || endpoint == Endpoint::malformed) {
    admission.refusal = refuse_path(endpoint);
    return admission;
  }
  const EndpointRules& rules = rules_of(endpoint);
  if (!takes(rules, head.method)) {
    admission.refusal = refuse_method(rules);
  } else if (const auto* const token = token_of(head.authorization)) {
    admission.actor = token->name;
  } else if (!rules.open && !(metrics_open_ && endpoint == Endpoint::metrics)) {
    admission.refusal = refuse_unknown_caller(!head.authorization.empty());
  }
  return admission;
}

const Routes::Token* Routes::token_of(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return nullptr;
  const bool bearer =
      std::equal(scheme.begin(), scheme.end(), authorization.begin(), [](char expected, char c) {
        return expected == static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      });
  if (!bearer) return nullptr;
  authorization.remove_prefix(scheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  // Every token is compared, so that the time does not tell which one is near.
  const Token* found = nullptr;
  for (const auto& token : tokens_)
    if (supervisor::sys::equal_in_constant_time(token.text, authorization)) found = &token;
  return found;
}

Awaitable<Reply> Routes::answer(const RequestHead& head, const Route& route, std::string_view body,
                                CallInFlight& in_flight) const {
  if (reads_body(route.endpoint) && !body.empty() && !is_json_type(head.content_type))
    co_return refuse_media();
  switch (route.endpoint) {
    case Endpoint::plugins:
      co_return co_await list(head.host, in_flight);
    case Endpoint::reload:
      co_return co_await reload(in_flight);
    case Endpoint::settings:
      co_return co_await store_settings(route, body, in_flight);
    case Endpoint::run:
      co_return co_await run(head, route, body, in_flight);
    case Endpoint::resource:
      co_return co_await resolve(route, body, in_flight);
    case Endpoint::enabled:
      co_return co_await enable(head, route, body, in_flight);
    case Endpoint::logo:
      co_return co_await logo(route, in_flight);
    case Endpoint::workers:
      co_return co_await workers(in_flight);
    case Endpoint::worker:
      co_return co_await worker(route, in_flight);
    case Endpoint::dump_stacks:
      co_return co_await dump_stacks(route, in_flight);
    case Endpoint::jobs:
      co_return co_await jobs(head, in_flight);
    case Endpoint::job:
      co_return co_await job(head, route, in_flight);
    case Endpoint::options:
      co_return co_await plugin_options(head, route, body, in_flight);
    case Endpoint::permissions:
      co_return co_await permissions(head, route, body, in_flight);
    case Endpoint::audit:
      co_return co_await audit(head, in_flight);
    case Endpoint::logs:
      co_return co_await logs(head, route, in_flight);
    case Endpoint::control:
      co_return co_await control(head, route, in_flight);
    case Endpoint::metrics:
      co_return co_await metrics(in_flight);
    case Endpoint::readyz:
      co_return co_await ready(in_flight);
    case Endpoint::healthz: {
      Reply reply;
      reply.body = R"({"status":"ok"})";
      co_return reply;
    }
    case Endpoint::none:
    case Endpoint::malformed:
      break;
  }
  co_return refuse_path(route.endpoint);
}

Awaitable<Reply> Routes::list(std::string_view host, CallInFlight& in_flight) const {
  const auto listed =
      co_await supervisor_.call(&Stub::AsyncList, v1::ListPluginsRequest(), in_flight);
  if (listed.has_error()) co_return reply_to(listed.error());
  Reply reply;
  reply.body.reserve(64 + listed->ByteSizeLong() * 2);
  reply.body = R"({"plugins":[)";
  for (int i = 0; i < listed->plugins_size(); ++i) {
    if (i > 0) reply.body += ',';
    append_plugin(reply.body, listed->plugins(i), host, secrets_for_callers);
  }
  reply.body += "]}";
  co_return reply;
}

Awaitable<Reply> Routes::reload(CallInFlight& in_flight) const {
  const auto reloaded =
      co_await supervisor_.call(&Stub::AsyncReload, v1::ReloadRequest(), in_flight);
  if (reloaded.has_error()) co_return reply_to(reloaded.error());
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    object.integer("count", reloaded->count());
  }
  co_return reply;
}

Awaitable<Reply> Routes::store_settings(const Route& route, std::string_view body,
                                        CallInFlight& in_flight) const {
  const auto settings = parse_settings(body);
  if (settings.has_error()) co_return reply_to(settings.error());
  v1::SetSettingsRequest request;
  request.set_key(route.key);
  request.set_settings_json(settings->data(), settings->size());
  const auto stored = co_await supervisor_.call(&Stub::AsyncSetSettings, request, in_flight);
  if (stored.has_error())
    co_return reply_to(about_call(stored.error(), route.key, supervisor_.timeout()));
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    object.raw("settings", stored->settings_json(), "{}");
    if (stored->warnings_size() > 0) {
      std::string& list = object.member("warnings") += '[';
      for (int i = 0; i < stored->warnings_size(); ++i) {
        if (i > 0) list += ',';
        append_json_string(list, stored->warnings(i));
      }
      list += ']';
    }
  }
  co_return reply;
}

Awaitable<Reply> Routes::run(const RequestHead& head, const Route& route, std::string_view body,
                             CallInFlight& in_flight) const {
  auto call = parse_run(body);
  if (call.has_error()) co_return reply_to(call.error());
  if (!head.prefer.empty() && wants_background(head.prefer)) {
    v1::StartJobRequest job;
    job.set_key(route.key);
    job.set_action(std::move(call->name));
    job.set_params_json(call->params.data(), call->params.size());
    job.set_requested_by(caller_name(head));
    co_return co_await start_job(std::move(job), in_flight);
  }
  v1::RunRequest request;
  request.set_key(route.key);
  request.set_action(std::move(call->name));
  request.set_params_json(call->params.data(), call->params.size());
  request.set_requested_by(caller_name(head));
  const auto response = co_await supervisor_.call(&Stub::AsyncRun, request, in_flight);
  if (response.has_error())
    co_return reply_to(about_call(response.error(), route.key, supervisor_.timeout()));
  Reply reply = result_reply(response->result_json());
  reply.headers.append("X-Job-Id: ").append(response->job_id()).append("\r\n");
  co_return reply;
}

Awaitable<Reply> Routes::resolve(const Route& route, std::string_view body,
                                 CallInFlight& in_flight) const {
  auto call = parse_resource(body);
  if (call.has_error()) co_return reply_to(call.error());
  v1::ResolveResourceRequest request;
  request.set_key(route.key);
  request.set_resource(std::move(call->name));
  request.set_params_json(call->params.data(), call->params.size());
  const auto response = co_await supervisor_.call(&Stub::AsyncResolveResource, request, in_flight);
  if (response.has_error())
    co_return reply_to(about_call(response.error(), route.key, supervisor_.timeout()));
  co_return result_reply(response->result_json());
}

Awaitable<Reply> Routes::enable(const RequestHead& head, const Route& route, std::string_view body,
                                CallInFlight& in_flight) const {
  const auto wish = parse_enabled(body);
  if (wish.has_error()) co_return reply_to(wish.error());
  v1::SetEnabledRequest request;
  request.set_key(route.key);
  request.set_enabled(wish->enabled);
  request.set_grant_asked(wish->grant_asked);
  request.set_requested_by(caller_name(head));
  const auto plugin = co_await supervisor_.call(&Stub::AsyncSetEnabled, request, in_flight);
  if (plugin.has_error())
    co_return reply_to(about_call(plugin.error(), route.key, supervisor_.timeout()));
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    object.boolean("enabled", plugin->enabled());
    object.boolean("ever_enabled", plugin->ever_enabled());
    append_plugin(object.member("plugin"), *plugin, head.host, secrets_for_callers);
  }
  co_return reply;
}

Awaitable<Reply> Routes::logo(const Route& route, CallInFlight& in_flight) const {
  v1::GetLogoRequest request;
  request.set_key(route.key);
  auto response = co_await supervisor_.call(&Stub::AsyncGetLogo, request, in_flight);
  if (response.has_error())
    co_return reply_to(about_call(response.error(), route.key, supervisor_.timeout()));
  Reply reply;
  reply.content_type = "image/png";
  reply.body = std::move(*response->mutable_png());
  co_return reply;
}

Awaitable<Reply> Routes::workers(CallInFlight& in_flight) const {
  const auto listed =
      co_await supervisor_.call(&v1::Workers::Stub::AsyncList, v1::ListWorkersRequest(), in_flight);
  if (listed.has_error()) co_return reply_to(listed.error());
  Reply reply;
  reply.body = R"({"workers":[)";
  for (int i = 0; i < listed->rows_size(); ++i) {
    if (i > 0) reply.body += ',';
    ObjectWriter object(reply.body);
    object.text("key", listed->rows(i).key());
    append_worker(object.member("worker"), listed->rows(i).worker());
  }
  reply.body += "]}";
  co_return reply;
}

Awaitable<Reply> Routes::worker(const Route& route, CallInFlight& in_flight) const {
  v1::WhyRequest request;
  request.set_key(route.key);
  const auto why = co_await supervisor_.call(&v1::Workers::Stub::AsyncWhy, request, in_flight);
  if (why.has_error())
    co_return reply_to(about_call(why.error(), route.key, supervisor_.timeout()));
  Reply reply;
  append_why(reply.body, *why);
  co_return reply;
}

Awaitable<Reply> Routes::dump_stacks(const Route& route, CallInFlight& in_flight) const {
  v1::DumpStacksRequest request;
  request.set_key(route.key);
  const auto dumped =
      co_await supervisor_.call(&v1::Workers::Stub::AsyncDumpStacks, request, in_flight);
  if (dumped.has_error())
    co_return reply_to(about_call(dumped.error(), route.key, supervisor_.timeout()));
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    object.text("key", route.key);
    object.text("stacks", dumped->text());
  }
  co_return reply;
}

Awaitable<Reply> Routes::control(const RequestHead& head, const Route& route,
                                 CallInFlight& in_flight) const {
  v1::ControlRequest request;
  request.set_key(route.key);
  request.set_action(route.action);
  const auto plugin =
      co_await supervisor_.call(&v1::Workers::Stub::AsyncControl, request, in_flight);
  if (plugin.has_error())
    co_return reply_to(about_call(plugin.error(), route.key, supervisor_.timeout()));
  Reply reply;
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    append_plugin(object.member("plugin"), *plugin, head.host, secrets_for_callers);
  }
  co_return reply;
}

Awaitable<Reply> Routes::ready(CallInFlight& in_flight) const {
  switch (co_await supervisor_.readiness(in_flight)) {
    case Readiness::ready: {
      Reply reply;
      reply.body = R"({"status":"ok","supervisor":"ok","database":"ok"})";
      co_return reply;
    }
    case Readiness::database_away:
      co_return reply_to(make_failure(v1::REASON_DATABASE_UNAVAILABLE, "ready",
                                      "The supervisor runs, but its database cannot be reached.",
                                      "Check the PostgreSQL server and the supervisor's log."));
    case Readiness::supervisor_away:
      break;
  }
  co_return reply_to(make_failure(v1::REASON_SUPERVISOR_UNAVAILABLE, "ready",
                                  "The supervisor cannot be reached.",
                                  "Check that plugin-supervisor runs, and the socket's path."));
}

}  // namespace gateway
