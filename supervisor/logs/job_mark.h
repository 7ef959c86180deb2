// The mark by which a worker tells in which job a line was printed: it stands
// at the beginning of the line (worker_shim/plugin_worker/print_capture.py).
#pragma once

#include <string_view>

namespace supervisor::logs {

/// Takes the mark off the beginning of `line`. The job, or nothing when there
/// is no mark. A plugin can print a mark of its own, and so put its line to
/// another job: it is believed as much as the rest of the line.
std::string_view take_job_mark(std::string_view& line);

}  // namespace supervisor::logs
