#include "api_gateway/job_json.h"

#include "api_gateway/json_text.h"
#include "api_gateway/plugin_json.h"
#include "supervisor/sys/failure.h"

namespace gateway {

namespace v1 = plugin_supervisor::v1;

void append_job(std::string& out, const v1::Job& job) {
  using supervisor::lower_without_prefix;
  ObjectWriter object(out);
  object.text("id", job.id());
  object.text("plugin", job.plugin());
  object.text("action", job.action());
  object.text("kind", lower_without_prefix(v1::JobKind_Name(job.kind()), "JOB_KIND_"));
  object.text("state", lower_without_prefix(v1::JobState_Name(job.state()), "JOB_STATE_"));
  object.text_or_null("requested_by", job.requested_by());
  object.integer("generation", job.generation());
  append_time(object.member("created_at"), job.created_unix_ms());
  append_time(object.member("started_at"), job.started_unix_ms());
  append_time(object.member("ended_at"), job.ended_unix_ms());
  if (job.ended_unix_ms() > 0) {
    object.real("duration_ms", job.duration_us() / 1000.0);
  } else {
    object.null("duration_ms");
  }
  {
    ObjectWriter progress(object.member("progress"));
    progress.real("fraction", job.fraction());
    progress.text("message", job.message());
  }
  object.raw("result", job.result_json());
  if (job.has_failure()) {
    append_failure(object.member("failure"), job.failure());
  } else {
    object.null("failure");
  }
}

}  // namespace gateway
