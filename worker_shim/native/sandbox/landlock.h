// Landlock(7): what files and ports this process, and all it starts, may use.
// Whatever the running kernel cannot restrict is left open; abi() tells.
//
// Source: Linux, include/uapi/linux/landlock.h; our headers are older than the
// kernels we run on, so the newer parts are named here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plugin_worker::sandbox {

struct PathRule {
  std::string path;
  bool write = false;
  bool execute = false;  // Programs at or below it.
};

struct LandlockRules {
  std::vector<PathRule> paths;  // All may be read. What does not exist is left out.
  bool any_listen = false;      // Likewise the TCP ports, if not any.
  bool any_connect = false;
  std::vector<std::uint16_t> listen;  // TCP ports.
  std::vector<std::uint16_t> connect;
};

/// The newest version of Landlock that the kernel has; 0 = none, or switched off.
int landlock_abi();

/// A set of rules that waits to be enforced.
class LandlockRuleset {
 public:
  /// Throws std::system_error.
  explicit LandlockRuleset(const LandlockRules& rules);
  ~LandlockRuleset();
  LandlockRuleset(const LandlockRuleset&) = delete;
  LandlockRuleset& operator=(const LandlockRuleset&) = delete;

  /// From now on, for this thread and what it starts: call it while there is no
  /// other. Needs no_new_privs. Throws std::system_error.
  void enforce() const;

 private:
  void allow_path(const PathRule& rule, std::uint64_t handled);
  void allow_port(std::uint16_t port, std::uint64_t access);

  int fd_ = -1;
};

}  // namespace plugin_worker::sandbox
