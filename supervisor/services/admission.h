// Who may use the supervisor's own socket, whatever the modes of its file have
// become: root, the supervisor's own user, and the members of one group. A
// plugin that runs as the supervisor's user is none of these: what descends from
// a worker is refused.
//
// Immutable; owned by the ApiSocket.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "supervisor/sys/unix_socket.h"

namespace supervisor::services {

class Admission {
 public:
  /// `launches`: where the directories of launches are, by which their
  /// processes are known.
  Admission(std::optional<gid_t> group, std::filesystem::path launches)
      : group_(group), launches_(std::move(launches)) {}

  [[nodiscard]] std::optional<gid_t> group() const { return group_; }

  /// Why who has made this connection may not use it; empty when they may.
  [[nodiscard]] std::string refusal(int connection, const sys::PeerCredentials& peer) const;

 private:
  [[nodiscard]] bool is_known(int connection, const sys::PeerCredentials& peer) const;
  [[nodiscard]] bool is_of_worker(pid_t pid) const;
  [[nodiscard]] std::optional<bool> has_worker_above(pid_t pid) const;
  [[nodiscard]] bool is_init(pid_t pid) const;

  const std::optional<gid_t> group_;
  const std::filesystem::path launches_;
};

}  // namespace supervisor::services
