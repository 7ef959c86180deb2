// What is wrong with a wish to run an action, before any worker is asked.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "supervisor/sys/failure.h"

namespace supervisor::services {

/// Nothing when the wish makes sense. `is_known`: there is such a plugin.
std::optional<Failure> run_failure(bool is_known, const std::string& key, const std::string& action,
                                   std::size_t params_bytes, std::size_t max_params_bytes);

Failure unknown_plugin(const std::string& key);

}  // namespace supervisor::services
