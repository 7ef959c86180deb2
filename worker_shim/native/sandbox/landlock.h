// Landlock(7): what files and ports this process, and all it starts, may use.
// Whatever the running kernel cannot restrict is left open; abi() tells.
//
// Source: Linux, include/uapi/linux/landlock.h; our headers are older than the
// kernels we run on, so the newer parts are named here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "supervisor/sys/unique_fd.h"

namespace plugin_worker::sandbox {

struct PathRule {
  std::string path;
  bool write = false;
  bool execute = false;  // Programs at or below it.
};

struct PortRules {
  bool any_listen = false;
  bool any_connect = false;
  std::vector<std::uint16_t> listen;  // TCP ports, if not any.
  std::vector<std::uint16_t> connect;
  bool scope = false;  // Also: no signals, and no abstract sockets, of others.
};

/// The newest version of Landlock that the kernel has; 0 = none, or switched off.
int landlock_abi();

/// Rules for files, which wait to be enforced. All throw std::system_error.
class LandlockFiles {
 public:
  /// Nothing is allowed yet.
  LandlockFiles();

  /// To be read, at least. What does not exist is left out.
  void allow(const PathRule& rule);

  /// From now on, for this thread and what it starts: call it while there is no
  /// other. Needs no_new_privs, or CAP_SYS_ADMIN.
  void enforce() const;

 private:
  std::uint64_t handled_ = 0;
  supervisor::sys::UniqueFd ruleset_;
};

/// Likewise, and at once. Of kernels with ABI 4; the scope with ABI 6.
void restrict_ports(const PortRules& rules);

}  // namespace plugin_worker::sandbox
