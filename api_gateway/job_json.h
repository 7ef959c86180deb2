// Jobs as the API shows them. Pure functions.
#pragma once

#include <string>

#include "plugin_supervisor/v1/jobs_service.pb.h"

namespace gateway {

/// Appends a job as an object; its result as the bytes the plugin gave.
void append_job(std::string& out, const plugin_supervisor::v1::Job& job);

}  // namespace gateway
