// What came of this process's sandbox, kept from when it was made until the
// supervisor is told.
#pragma once

#include "plugin_supervisor/v1/sandbox.pb.h"

namespace plugin_worker {

/// The variable that hands it on to an interpreter that is executed in the
/// sandbox: hexadecimal digits.
inline constexpr const char* sandbox_outcome_variable = "PLUGIN_WORKER_SANDBOX";

/// Of this process. Empty where there is no sandbox.
plugin_supervisor::v1::SandboxOutcome& sandbox_outcome();

/// Takes it from the variable, which is removed.
void take_sandbox_outcome_variable();

}  // namespace plugin_worker
