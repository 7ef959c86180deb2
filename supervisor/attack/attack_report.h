// What a worker tells of a battery of attacks. Its plugin owns the process that
// tells it: nothing of it is trusted to be well-formed.
#pragma once

#include <string>

#include "plugin_supervisor/v1/attack.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::attack {

/// Of {"results": [...]}, see attack.proto; RESULT_NOT_JSON when it is not that.
Outcome<v1::AttackResponse> read_attack_report(const std::string& plugin, const std::string& text);

}  // namespace supervisor::attack
