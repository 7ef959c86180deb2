// GET /api/supervisor/workers/<key>/logs/: the last lines of a plugin's log.
#include <array>
#include <chrono>

#include "api_gateway/json_text.h"
#include "api_gateway/plugin_json.h"
#include "api_gateway/query.h"
#include "api_gateway/routes.h"
#include "supervisor/sys/unix_time.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;
using supervisor::make_failure;
using supervisor::Outcome;

constexpr std::uint64_t usual_tail = 200;
constexpr std::uint64_t most_lines = 8'000;
constexpr std::uint64_t longest_since = 365u * 86'400;  // Seconds.

struct Level {
  std::string_view name;
  v1::LogLevel level;
};
constexpr std::array levels{
    Level{"debug", v1::LOG_LEVEL_DEBUG},       Level{"info", v1::LOG_LEVEL_INFO},
    Level{"warning", v1::LOG_LEVEL_WARNING},   Level{"error", v1::LOG_LEVEL_ERROR},
    Level{"critical", v1::LOG_LEVEL_CRITICAL},
};

Outcome<v1::LogsRequest> request_of(const Query& query, const std::string& key) {
  v1::LogsRequest request;
  request.set_key(key);
  const auto tail = query.number("tail", usual_tail, most_lines);
  if (tail.has_error()) return tail.error();
  request.set_tail(static_cast<std::uint32_t>(tail.value()));
  const auto since = query.number("since", 0, longest_since);
  if (since.has_error()) return since.error();
  if (since.value() > 0)
    request.set_since_unix_us(supervisor::sys::unix_us() -
                              static_cast<std::int64_t>(since.value()) * 1'000'000);
  request.set_job(query.text("job").value_or(""));
  const auto wanted = query.text("level");
  for (const auto& known : levels)
    if (wanted && *wanted == known.name) request.set_min_level(known.level);
  if (wanted && request.min_level() == v1::LOG_LEVEL_UNSPECIFIED)
    return make_failure(v1::REASON_INVALID_REQUEST, "parse",
                        "'level' must be debug, info, warning, error or critical.");
  return request;
}

}  // namespace

Awaitable<Reply> Routes::logs(const RequestHead& head, const Route& route,
                              CallInFlight& in_flight) const {
  const auto request = request_of(Query(head.target), route.key);
  if (request.has_error()) co_return reply_to(request.error());
  const auto lines = co_await supervisor_.logs(request.value(), in_flight);
  if (lines.has_error()) co_return reply_to(lines.error());
  Reply reply;
  reply.body = R"({"key":)";
  append_json_string(reply.body, route.key);
  reply.body += R"(,"lines":[)";
  bool first = true;
  for (const auto& line : lines.value()) {
    if (!std::exchange(first, false)) reply.body += ',';
    append_log_line(reply.body, line);
  }
  reply.body += "]}";
  co_return reply;
}

}  // namespace gateway
