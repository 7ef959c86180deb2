// What pluginctl's exit status tells a script. One number per thing that a
// script would do differently, not one per reason: the reason itself is in the
// message, and in "code" with --json.
#pragma once

#include <string>
#include <vector>

#include "supervisor/sys/failure.h"

namespace supervisor::cli {

enum class ExitCode : int {
  ok = 0,
  failed = 1,       // The plugin or the call failed: raised, crashed, ...
  usage = 2,        // The command line or its input is wrong.
  not_found = 3,    // No such plugin.
  not_ready = 4,    // Disabled, not loaded, starting, quarantined, busy.
  unreachable = 5,  // No supervisor, or one that cannot do its work now.
  timed_out = 6,    // No answer within the time given.
};

/// Total over the enum; never `ok`. Numbers this build does not know are
/// `failed`.
ExitCode exit_code(v1::Reason reason);

struct ExitCodeMeaning {
  ExitCode code;
  std::string meaning;
};

/// All of them, by number.
const std::vector<ExitCodeMeaning>& exit_code_meanings();

/// The table as it stands in --help.
std::string exit_code_help();

}  // namespace supervisor::cli
