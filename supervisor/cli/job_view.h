// Jobs as pluginctl shows them.
#pragma once

#include <string>

#include "plugin_supervisor/v1/jobs_service.pb.h"
#include "supervisor/cli/table.h"
#include "supervisor/sys/failure.h"

namespace supervisor::cli {

/// "running"
std::string job_state_name(v1::JobState state);

/// A state with the colour it has on a terminal.
Table::Cell job_state_cell(v1::JobState state);

/// "40% reading"; empty when nothing was told.
std::string progress_text(const v1::Job& job);

/// "1.250 s"; empty while it runs.
std::string duration_text(const v1::Job& job);

std::string job_json(const v1::Job& job);

}  // namespace supervisor::cli
