// The manual page of pluginctl, in the man(7) macros of roff.
#pragma once

#include <string>

#include "supervisor/cli/grammar.h"

namespace supervisor::cli {

/// `version` stands at its foot.
std::string man_page(const Grammar& grammar, const std::string& version);

}  // namespace supervisor::cli
