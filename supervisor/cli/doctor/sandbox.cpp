// What a sandbox can be made of.
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "supervisor/cli/doctor/probe.h"

namespace supervisor::cli::doctor {
namespace {

Finding landlock() {
  const auto abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi > 0) return {"Landlock", Verdict::ok, "ABI " + std::to_string(abi)};
  return {"Landlock", Verdict::missing, std::strerror(errno),
          "a sandbox cannot keep plugins from files by path"};
}

Finding seccomp() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
    return {"seccomp", Verdict::ok, "system calls can be filtered"};
  return {"seccomp", Verdict::missing, std::strerror(errno),
          "a sandbox cannot keep plugins from system calls"};
}

}  // namespace

std::vector<Probe> sandbox_probes() {
  return {{"sandbox", [] { return std::vector{landlock(), seccomp()}; }}};
}

}  // namespace supervisor::cli::doctor
