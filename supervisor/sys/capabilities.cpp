#include "supervisor/sys/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "supervisor/sys/process_status.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::sys {
namespace {

constexpr CapabilityMask bit(int number) { return CapabilityMask{1} << number; }

}  // namespace

const std::vector<Capability>& supervisor_capabilities() {
  static const std::vector<Capability> list{
      {CAP_CHOWN, "CHOWN", "plugins get no files, and so no user ids, of their own"},
      {CAP_DAC_OVERRIDE, "DAC_OVERRIDE",
       "what belongs to a plugin's user, or to another, cannot be read or removed"},
      {CAP_FOWNER, "FOWNER", "the modes of directories of other users stay as they are"},
      {CAP_KILL, "KILL", "plugins with user ids of their own cannot be ended"},
      {CAP_SETGID, "SETGID", "plugins get no user ids of their own"},
      {CAP_SETUID, "SETUID", "plugins get no user ids of their own"},
      {CAP_SETPCAP, "SETPCAP", "workers keep the bounding set, though no capabilities"},
      {CAP_NET_ADMIN, "NET_ADMIN", "a plugin's own network has no loopback"},
      {CAP_SYS_ADMIN, "SYS_ADMIN",
       "no namespaces but those inside of a user namespace, no cgroups that are made for it"},
      {CAP_SYS_PTRACE, "SYS_PTRACE",
       "less is seen of workers: their memory, and what of a plugin outlives its worker"},
      {CAP_SYS_RESOURCE, "SYS_RESOURCE", "limits cannot be set above the supervisor's own"}};
  return list;
}

CapabilityMask mask_of(const std::vector<Capability>& list) {
  CapabilityMask mask = 0;
  for (const auto& capability : list) mask |= bit(capability.number);
  return mask;
}

void keep_capabilities(CapabilityMask kept) {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number) {
    if ((kept & bit(number)) != 0) continue;
    // Without CAP_SETPCAP the bounding set stays; no_new_privs makes it idle.
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EPERM)
      throw_errno("prctl PR_CAPBSET_DROP");
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  checked("capget", [&] { return ::syscall(SYS_capget, &header, sets); });
  for (int half = 0; half < 2; ++half) {
    const auto mask = static_cast<std::uint32_t>(kept >> (32 * half));
    sets[half].permitted &= mask;
    sets[half].effective = sets[half].permitted;
    sets[half].inheritable = 0;
  }
  checked("capset", [&] { return ::syscall(SYS_capset, &header, sets); });
}

void close_process() {
  checked("prctl PR_SET_NO_NEW_PRIVS", [] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); });
  checked("prctl PR_SET_DUMPABLE", [] { return ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); });
}

std::optional<CapabilitySets> capabilities_of(pid_t pid) {
  const auto status = ProcessStatus::of(pid);
  if (!status) return std::nullopt;
  const auto set = [&status](std::string_view name) {
    return CapabilityMask{std::strtoull(std::string(status->value(name)).c_str(), nullptr, 16)};
  };
  return CapabilitySets{.effective = set("CapEff"),
                        .permitted = set("CapPrm"),
                        .inheritable = set("CapInh"),
                        .bounding = set("CapBnd"),
                        .ambient = set("CapAmb")};
}

bool is_unprivileged() {
  if (::geteuid() == 0) return false;
  const auto sets = capabilities_of(::getpid());
  return !sets || (sets->effective & bit(CAP_SYS_ADMIN)) == 0;
}

}  // namespace supervisor::sys
