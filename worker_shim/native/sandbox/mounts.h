// Mounts of one namespace, by plain system calls: also between a clone and an
// exec, beside a spawner whose memory is shared.
#pragma once

#include <cstdint>

namespace plugin_worker::sandbox {

/// What is forbidden below a mount.
struct MountRules {
  bool read_only = false;
  bool no_execution = false;  // Of programs, and of memory that is mapped.
  bool devices = false;       // Those that are there may be used.
};

/// Makes what is needed for `path` (without the leading slash, below the
/// current directory) to be mounted upon: directories, and at its end a
/// directory or an empty file, as `source` is. With `keep_links`, where `source`
/// is a symbolic link to a directory, the same link and nothing to mount.
/// 1: there is something to mount; 0: nothing, also without a source; -1 with
/// errno.
int make_place(const char* source, const char* path, bool keep_links);

/// `source` and all that is mounted below it at `path`. -1 with errno.
int bind(const char* source, const char* path, const MountRules& rules);

/// The same with owners mapped by the user namespace `mapping` (mount_setattr(2),
/// MOUNT_ATTR_IDMAP). -1 with errno.
int bind_mapped(const char* source, const char* path, int mapping, const MountRules& rules);

/// Changes the rules of what is mounted at `path`, and `below` it. -1 with errno.
int set_rules(const char* path, const MountRules& rules, bool below);

}  // namespace plugin_worker::sandbox
