// Unix stream sockets: paths that fit, permissions that are exact.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::sys {

/// Bytes a socket path may have (sun_path less its terminator).
inline constexpr std::size_t max_socket_path = 107;

/// A listening socket at `path` with `mode`; a stale socket file is replaced.
/// Non-blocking and close-on-exec. Throws std::system_error.
UniqueFd listen_unix(const std::filesystem::path& path, int mode);

/// A blocking, close-on-exec connection. Throws std::system_error.
UniqueFd connect_unix(const std::filesystem::path& path);

struct PeerCredentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

/// Who connected, as the kernel saw it at connect(2). Throws.
PeerCredentials peer_credentials(int fd);

/// The supplementary groups that it had then. Throws.
std::vector<gid_t> peer_groups(int fd);

/// A pidfd of who connected; nothing where the kernel has no such thing
/// (before 6.5). It is of a process that has ended when that is gone.
std::optional<UniqueFd> peer_process(int fd);

/// Whether the process of a pidfd has ended.
bool has_ended(int pidfd);

}  // namespace supervisor::sys
