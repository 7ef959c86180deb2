// The battery of attacks, tried in live workers and told as a table.
#pragma once

#include <string>

#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/supervisor_client.h"
#include "supervisor/cli/terminal.h"

namespace supervisor::cli::doctor {

/// In the worker of plugin `key`; empty: of each plugin that runs, one after
/// another. `failed` when something was done that a protection in force was to
/// stop.
ExitCode attack(SupervisorClient& supervisor, const std::string& key, Terminal& terminal);

}  // namespace supervisor::cli::doctor
