// Runs in the background, and what became of all runs.
#include <algorithm>
#include <boost/beast/core/string.hpp>

#include "api_gateway/job_json.h"
#include "api_gateway/json_text.h"
#include "api_gateway/query.h"
#include "api_gateway/routes.h"
#include "api_gateway/url.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;
using supervisor::Failure;
using supervisor::make_failure;
using Stub = v1::Jobs::Stub;

constexpr std::uint64_t max_limit = 1000;
constexpr std::uint64_t max_wait_s = 600;
constexpr std::uint64_t max_unix_ms = 1ULL << 53;

Reply job_reply(const v1::Job& job) {
  Reply reply;
  append_job(reply.body, job);
  return reply;
}

bool is_true(const std::optional<std::string>& text) {
  return text && (*text == "" || *text == "1" || *text == "true" || *text == "yes");
}

}  // namespace

// RFC 7240: preferences are separated by commas, and may have parameters.
bool wants_background(std::string_view prefer) {
  while (!prefer.empty()) {
    auto preference = prefer.substr(0, prefer.find(','));
    prefer.remove_prefix(std::min(preference.size() + 1, prefer.size()));
    preference = preference.substr(0, preference.find(';'));
    const auto first = preference.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    const auto last = preference.find_last_not_of(" \t");
    if (boost::beast::iequals(preference.substr(first, last - first + 1), "respond-async"))
      return true;
  }
  return false;
}

Awaitable<Reply> Routes::start_job(v1::StartJobRequest request, CallInFlight& in_flight) const {
  const auto job = co_await supervisor_.call(&Stub::AsyncStart, request, in_flight);
  if (job.has_error()) {
    Failure failure = job.error();
    if (failure.plugin().empty()) failure.set_plugin(request.key());
    co_return reply_to(failure);
  }
  Reply reply;
  reply.status = 202;
  reply.headers = "Location: /api/supervisor/jobs/" + percent_encode(job->id()) +
                  "/\r\nX-Job-Id: " + percent_encode(job->id()) +
                  "\r\nPreference-Applied: respond-async\r\n";
  {
    ObjectWriter object(reply.body);
    object.boolean("success", true);
    append_job(object.member("job"), *job);
  }
  co_return reply;
}

Awaitable<Reply> Routes::jobs(const RequestHead& head, CallInFlight& in_flight) const {
  const Query query(head.target);
  const auto limit = query.number("limit", 0, max_limit);
  if (limit.has_error()) co_return reply_to(limit.error());
  const auto before = query.number("before", 0, max_unix_ms);
  if (before.has_error()) co_return reply_to(before.error());
  v1::ListJobsRequest request;
  request.set_key(query.text("plugin").value_or(""));
  request.set_limit(static_cast<std::uint32_t>(*limit));
  request.set_before_unix_ms(static_cast<std::int64_t>(*before));
  request.set_unfinished(is_true(query.text("unfinished")));
  const auto listed = co_await supervisor_.call(&Stub::AsyncList, request, in_flight);
  if (listed.has_error()) co_return reply_to(listed.error());
  Reply reply;
  reply.body = R"({"jobs":[)";
  for (int i = 0; i < listed->jobs_size(); ++i) {
    if (i > 0) reply.body += ',';
    append_job(reply.body, listed->jobs(i));
  }
  reply.body += "]}";
  co_return reply;
}

Awaitable<Reply> Routes::job(const RequestHead& head, const Route& route,
                             CallInFlight& in_flight) const {
  if (head.method == boost::beast::http::verb::delete_) {
    v1::CancelJobRequest request;
    request.set_id(route.key);
    const auto job = co_await supervisor_.call(&Stub::AsyncCancel, request, in_flight);
    if (job.has_error()) co_return reply_to(job.error());
    co_return job_reply(*job);
  }
  const auto wait = Query(head.target).number("wait", 0, max_wait_s);
  if (wait.has_error()) co_return reply_to(wait.error());
  v1::GetJobRequest request;
  request.set_id(route.key);
  // Our own limit for a request must not come first.
  const auto longest =
      supervisor_.timeout() - std::min(supervisor_.timeout() / 2, std::chrono::milliseconds(1000));
  request.set_wait_ms(static_cast<std::uint32_t>(
      std::min<std::uint64_t>(*wait * 1000, static_cast<std::uint64_t>(longest.count()))));
  const auto job = co_await supervisor_.call(&Stub::AsyncGet, request, in_flight);
  if (job.has_error()) co_return reply_to(job.error());
  co_return job_reply(*job);
}

}  // namespace gateway
