// The capabilities of a process (capabilities(7)): a short list is kept, for
// reasons that are told, and the rest is given up for good.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace supervisor::sys {

struct Capability {
  int number;
  const char* name;     // As capabilities(7) has it, without "CAP_".
  const char* without;  // What is not to be had without it.
};

/// What a supervisor keeps of what it was given.
const std::vector<Capability>& supervisor_capabilities();

/// A set of them as the kernel writes it: one bit each.
using CapabilityMask = std::uint64_t;

[[nodiscard]] CapabilityMask mask_of(const std::vector<Capability>& list);

/// Gives up what is not in `kept`, in every set, and whatever could bring it
/// back. Of the calling thread alone: before there are others. Throws
/// std::system_error.
void keep_capabilities(CapabilityMask kept);

/// Nobody of our user may look into this process, it leaves no core, and no
/// set-user-id program gives it anything.
void close_process();

/// As /proc/<pid>/status shows them; nothing when there is no such process.
struct CapabilitySets {
  CapabilityMask effective = 0;
  CapabilityMask permitted = 0;
  CapabilityMask inheritable = 0;
  CapabilityMask bounding = 0;
  CapabilityMask ambient = 0;
};
std::optional<CapabilitySets> capabilities_of(pid_t pid);

/// Neither root nor with CAP_SYS_ADMIN: namespaces can be had in a user namespace
/// alone.
[[nodiscard]] bool is_unprivileged();

}  // namespace supervisor::sys
