// What a process was started with stands in /proc/<pid>/environ and cmdline for
// as long as it lives, also when it has forgotten it. These overwrite it there.
#pragma once

#include <string_view>

namespace supervisor::sys {

/// Takes a variable out of the environment. Before there are threads.
void erase_variable(const char* name);

/// Overwrites what `option` ("--database") was given on the command line, as its
/// own word or behind "=".
void erase_argument(int argc, char** argv, std::string_view option);

}  // namespace supervisor::sys
