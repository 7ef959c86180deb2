// Keeps the processes of one cgroup to the addresses and ports that were
// granted: programs that the kernel runs when they connect, send or bind
// (bpf(2), BPF_PROG_TYPE_CGROUP_SOCK_ADDR), and a table that they look into.
// What is refused fails with EPERM. Of TCP and UDP, IPv4 and IPv6.
//
// Owned by a WorkerNetwork, on the core thread. The programs stay with the group
// until it is removed, also without this object; the table is then as it was.
#pragma once

#include <filesystem>
#include <memory>

#include "supervisor/sandbox/network_rules.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::sandbox {

class NetworkFilter {
 public:
  /// Over `group`, a directory of the hierarchy of version 2; in place of one
  /// that is there already. Needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN.
  /// Throws std::system_error.
  NetworkFilter(const std::filesystem::path& group, const NetworkRules& rules);

  /// There is one over `group`.
  static bool is_over(const std::filesystem::path& group);

  /// From now on these. Throws std::system_error.
  void set(const NetworkRules& rules);

 private:
  sys::UniqueFd table_;
  NetworkRules rules_;  // Those that are in the table.
};

}  // namespace supervisor::sandbox
