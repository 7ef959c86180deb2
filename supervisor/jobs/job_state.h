// What the states of a job mean to those who wait for it. Pure functions.
#pragma once

#include <string>

#include "plugin_supervisor/v1/jobs_service.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::jobs {

/// It will not change any more.
[[nodiscard]] bool is_over(v1::JobState state);

/// How a job ends that failed so: a call that was given up is no failure.
[[nodiscard]] v1::JobState ending_of(const Failure& failure);

}  // namespace supervisor::jobs
