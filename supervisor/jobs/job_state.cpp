#include "supervisor/jobs/job_state.h"

namespace supervisor::jobs {

bool is_over(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

v1::JobState ending_of(const Failure& failure) {
  // STOPPING: the plugin was stopped before the call had begun.
  return failure.reason() == v1::REASON_CANCELLED || failure.reason() == v1::REASON_STOPPING
             ? v1::JOB_STATE_CANCELLED
             : v1::JOB_STATE_FAILED;
}

}  // namespace supervisor::jobs
