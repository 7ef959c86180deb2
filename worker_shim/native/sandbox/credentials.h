// Who this process is to the kernel, and that it never becomes more.
#pragma once

#include <sys/types.h>

#include <vector>

namespace plugin_worker::sandbox {

/// No program it executes gives it a capability. Call it before become_user().
/// Throws std::system_error.
void empty_bounding_set();

/// Becomes the user `uid` with the group `gid` and `more` groups alone, for good.
/// Needs CAP_SETUID and CAP_SETGID. Throws std::system_error.
void become_user(uid_t uid, gid_t gid, const std::vector<gid_t>& more);

/// Gives up every capability it has. Throws std::system_error.
void give_up_capabilities();

/// No set-user-id program and no file capability has effect any more, in what
/// it starts either. Throws std::system_error.
void forbid_new_privileges();

}  // namespace plugin_worker::sandbox
