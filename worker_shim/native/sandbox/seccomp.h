// Loads the filters of system calls that the supervisor has compiled.
#pragma once

#include <string>

namespace plugin_worker::sandbox {

/// `program`: an array of struct sock_filter. For all threads there are, from
/// now on. Needs no_new_privs. Throws std::system_error.
void load_seccomp(const std::string& program);

}  // namespace plugin_worker::sandbox
