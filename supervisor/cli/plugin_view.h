// Plugins, workers and failures as pluginctl shows them: one JSON form, with
// the names of the REST contract, and the short words of the tables.
#pragma once

#include <cstdint>
#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/cli/table.h"
#include "supervisor/sys/failure.h"

namespace supervisor::cli {

/// "load_failed"
std::string state_name(v1::PluginState state);

/// A state with the colour it has on a terminal.
Table::Cell state_cell(v1::PluginState state);

/// Its heartbeat says that it would not answer a call.
bool is_unwell(const v1::Worker& worker);

/// Why the plugin is not running: the reason's code, or empty.
std::string reason_word(const v1::Worker& worker);
std::string reason_word(const v1::Plugin& plugin);

/// How the last worker that crashed ended: "SIGSEGV", "exit 3", or empty.
std::string crash_word(const v1::Worker& worker);

/// "2026-03-01T12:00:00.250Z"; empty for 0.
std::string utc_time(std::int64_t unix_us);

/// "3.4 MB"
std::string memory_text(std::uint64_t bytes);

/// {asked, granted, effective, waiting, ...}, null where there is nothing.
std::string permissions_report_json(const v1::PermissionsReport& report);
std::string failure_json(const v1::Failure& failure);
std::string worker_json(const v1::Worker& worker);
std::string plugin_json(const v1::Plugin& plugin);
std::string log_line_json(const v1::LogLine& line);

/// "2026-03-01T12:00:00.250Z warning stdout  text"
std::string log_line_text(const v1::LogLine& line);

}  // namespace supervisor::cli
