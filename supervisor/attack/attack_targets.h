// What a battery of attacks is made on: things of the host that a plugin is not
// to reach, some of which are made for the purpose and go with this.
//
// Owned by the call that the battery is made for. Any thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "plugin_supervisor/v1/sandbox.pb.h"
#include "supervisor/sys/failure.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::attack {

/// Whose sandbox is attacked, and what of the host is known to the supervisor.
struct AttackSubject {
  std::filesystem::path code;  // The plugin's own.
  std::filesystem::path data;
  v1::Permissions permissions;  // As its worker was started with.
  v1::SandboxReport sandbox;
  std::filesystem::path supervisor_socket;
  // Another plugin that runs, when there is one.
  pid_t sibling_pid = 0;
  std::filesystem::path sibling_code;
  std::filesystem::path sibling_data;
  std::filesystem::path sibling_launch;
};

class AttackTargets {
 public:
  /// Makes those that are made: TCP ports of the loopback addresses that are
  /// listened on, an abstract socket, System V and POSIX shared memory, a POSIX
  /// queue, open to every user. What cannot be made is not attacked.
  AttackTargets();
  ~AttackTargets();
  AttackTargets(const AttackTargets&) = delete;
  AttackTargets& operator=(const AttackTargets&) = delete;

  /// For plugin_worker.attacks, see its targets.py. Nothing in it is secret: the
  /// plugin may read it.
  [[nodiscard]] std::string json(const AttackSubject& subject) const;

 private:
  const std::string name_;  // Of all that has one.
  sys::UniqueFd port_;
  sys::UniqueFd port6_;
  sys::UniqueFd abstract_;
  int segment_key_ = 0;
  int segment_ = -1;
  bool has_queue_ = false;
  bool has_shared_ = false;
};

}  // namespace supervisor::attack
