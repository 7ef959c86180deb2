// A root of its own for a worker: what it may see of the host's files at
// unchanged paths, a /proc, /dev and /tmp of its own, and nothing else.
//
// In two parts. begin_root() makes what all workers of a profile share, long
// before it is known which plugin it is for; complete_root() adds the plugin's.
// Between the two the host's root is seen at old_root.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace plugin_worker::sandbox {

inline constexpr const char* old_root = "/.host";

struct RootSetup {
  const char* staging = nullptr;       // An empty directory to put it together in.
  const char* const* paths = nullptr;  // Of the host, to be read. Those that are not there are
  std::size_t path_count = 0;          // left out.
  std::uint64_t temporary_bytes = 0;   // Of /tmp, and of /dev/shm.
};

/// In a mount namespace of its own whose mounts are private, and a PID
/// namespace. The name of the step that failed, with errno set; null when none
/// did. Allocates nothing; see worker_init.h.
const char* begin_root(const RootSetup& setup);

struct RootPath {
  std::string path;
  bool write = false;
  bool devices = false;
  // Who owns it there is, here, the user `uid` with the group `gid`, and what is
  // made here belongs to that owner.
  bool as_owner = false;
};

/// After begin_root(). Adds `paths` for the user `uid` with the group `gid`, writes `users` to
/// /etc/passwd and `groups` to /etc/group, makes the host's file `hosts`, if any, /etc/hosts, and
/// lets go of the host's root. Throws std::system_error, naming the path.
void complete_root(const std::vector<RootPath>& paths, uid_t uid, gid_t gid,
                   const std::string& users, const std::string& groups, const std::string& hosts);

}  // namespace plugin_worker::sandbox
