#include "supervisor/sys/unix_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "supervisor/sys/syscall.h"

namespace supervisor::sys {
namespace {

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() > max_socket_path) {
    errno = ENAMETOOLONG;
    throw_errno("socket path " + path.string());
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  return address;
}

}  // namespace

UniqueFd listen_unix(const std::filesystem::path& path, int mode) {
  const auto address = address_of(path);
  UniqueFd fd(checked(
      "socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }));
  ::unlink(path.c_str());
  checked("bind " + path.string(), [&] {
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  checked("chmod " + path.string(),
          [&] { return ::chmod(path.c_str(), static_cast<mode_t>(mode)); });
  checked("listen " + path.string(), [&] { return ::listen(fd.get(), SOMAXCONN); });
  return fd;
}

UniqueFd connect_unix(const std::filesystem::path& path) {
  const auto address = address_of(path);
  UniqueFd fd(checked("socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }));
  checked("connect " + path.string(), [&] {
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  });
  return fd;
}

PeerCredentials peer_credentials(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  checked("getsockopt SO_PEERCRED",
          [&] { return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size); });
  return {credentials.pid, credentials.uid, credentials.gid};
}

std::vector<gid_t> peer_groups(int fd) {
  std::vector<gid_t> groups(64);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int got = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    if (got != 0 && errno != ERANGE) throw_errno("getsockopt SO_PEERGROUPS");
    groups.resize(size / sizeof(gid_t));  // What there are, also when they did not fit.
    if (got == 0) return groups;
  }
}

std::optional<UniqueFd> peer_process(int fd) {
  constexpr int so_peerpidfd = 77;  // Not in the headers of Debian 12.
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (::getsockopt(fd, SOL_SOCKET, so_peerpidfd, &pidfd, &size) != 0) return std::nullopt;
  return UniqueFd(pidfd);
}

bool has_ended(int pidfd) {
  pollfd end{pidfd, POLLIN, 0};
  return retry_on_eintr([&end] { return ::poll(&end, 1, 0); }) > 0;
}

}  // namespace supervisor::sys
