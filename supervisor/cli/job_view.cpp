#include "supervisor/cli/job_view.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"

namespace supervisor::cli {
namespace {

std::string time_or_null(std::int64_t unix_ms) {
  return unix_ms == 0 ? "null" : json_quote(utc_time(unix_ms * 1000));
}

std::string with_decimals(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", number);
  return text.data();
}

}  // namespace

std::string job_state_name(v1::JobState state) {
  return lower_without_prefix(v1::JobState_Name(state), "JOB_STATE_");
}

Table::Cell job_state_cell(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
      return {job_state_name(state), "32"};
    case v1::JOB_STATE_FAILED:
      return {job_state_name(state), "31"};
    case v1::JOB_STATE_QUEUED:
    case v1::JOB_STATE_RUNNING:
    case v1::JOB_STATE_CANCELLED:
      return {job_state_name(state), "33"};
    default:
      return {job_state_name(state)};
  }
}

std::string progress_text(const v1::Job& job) {
  if (job.fraction() == 0 && job.message().empty()) return {};
  std::string text = std::to_string(std::lround(job.fraction() * 100)) + "%";
  if (!job.message().empty()) text += " " + job.message();
  return text;
}

std::string duration_text(const v1::Job& job) {
  return job.ended_unix_ms() == 0 ? std::string() : with_decimals(job.duration_us() / 1e6) + " s";
}

std::string job_json(const v1::Job& job) {
  JsonWriter progress('{');
  progress.raw("fraction", with_decimals(job.fraction())).text("message", job.message());
  JsonWriter json('{');
  json.text("id", job.id())
      .text("plugin", job.plugin())
      .text("action", job.action())
      .text("kind", lower_without_prefix(v1::JobKind_Name(job.kind()), "JOB_KIND_"))
      .text("state", job_state_name(job.state()))
      .raw("requested_by", job.requested_by().empty() ? "null" : json_quote(job.requested_by()))
      .number("generation", job.generation())
      .raw("created_at", time_or_null(job.created_unix_ms()))
      .raw("started_at", time_or_null(job.started_unix_ms()))
      .raw("ended_at", time_or_null(job.ended_unix_ms()))
      .raw("duration_ms",
           job.ended_unix_ms() == 0 ? "null" : with_decimals(job.duration_us() / 1000.0))
      .raw("progress", std::move(progress).finish())
      .raw("result", job.result_json().empty() ? "null" : job.result_json())
      .raw("failure", job.has_failure() ? failure_json(job.failure()) : "null");
  return std::move(json).finish();
}

}  // namespace supervisor::cli
