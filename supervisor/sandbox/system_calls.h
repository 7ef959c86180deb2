// Which system calls the sandbox knows. Names, as libseccomp resolves them; one
// that this machine's libseccomp or architecture does not have is passed over.
#pragma once

#include <span>

namespace supervisor::sandbox {

/// What programs need that compute, use files, sockets, threads and children of
/// their own. Where the arguments matter, see seccomp_filter.cpp.
std::span<const char* const> allowed_system_calls();

/// What is refused with EPERM rather than ENOSYS, because it exists and whoever
/// tries it shall learn that it may not.
std::span<const char* const> forbidden_system_calls();

}  // namespace supervisor::sandbox
