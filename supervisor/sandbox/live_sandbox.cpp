#include "supervisor/sandbox/live_sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "supervisor/sandbox/protection_list.h"
#include "supervisor/sys/process_status.h"

namespace supervisor::sandbox {
namespace {

constexpr int highest_tier = 3;

using Place = std::pair<dev_t, ino_t>;

/// Nothing when we may not look.
std::optional<Place> place_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Place(status.st_dev, status.st_ino);
}

/// Ours, which never changes.
std::optional<Place> own_place(const std::string& file) {
  static const std::map<std::string, std::optional<Place>> places = [] {
    std::map<std::string, std::optional<Place>> found;
    for (const auto* name :
         {"ns/pid", "ns/mnt", "root", "ns/ipc", "ns/uts", "ns/cgroup", "ns/user", "ns/net"})
      found.emplace(name, place_of(std::string("/proc/self/") + name));
    return found;
  }();
  return places.at(file);
}

/// Nothing when we may not look.
std::optional<bool> is_elsewhere(const std::string& directory, const std::string& file) {
  const auto theirs = place_of(directory + "/" + file);
  const auto& ours = own_place(file);
  if (!theirs || !ours) return std::nullopt;
  return *theirs != *ours;
}

bool is_zero(std::string_view digits) {
  return !digits.empty() && digits.find_first_not_of('0') == std::string::npos;
}

class Look {
 public:
  Look(pid_t pid, sys::ProcessStatus status, const v1::SandboxOutcome& outcome)
      : directory_("/proc/" + std::to_string(pid)),
        status_(std::move(status)),
        outcome_(outcome),
        user_(static_cast<std::uint32_t>(std::stoul(std::string(value("Uid"))))) {}

  [[nodiscard]] std::uint32_t user() const { return user_; }

  /// In force, as far as the kernel shows; nothing when it does not.
  [[nodiscard]] std::optional<bool> see(v1::Protection protection) const {
    switch (protection) {
      case v1::PROTECTION_NO_NEW_PRIVILEGES:
        return value("NoNewPrivs") == "1";
      case v1::PROTECTION_NO_CAPABILITIES:
        // What no program can bring, because none gives privileges, need not be out
        // of bounds: only who had capabilities can take them out.
        return is_zero(value("CapEff")) && is_zero(value("CapPrm")) && is_zero(value("CapAmb")) &&
               (is_zero(value("CapBnd")) || value("NoNewPrivs") == "1");
      case v1::PROTECTION_NOT_DUMPABLE:
        return is_not_dumpable();
      case v1::PROTECTION_USER:
        return user() != 0 && user() != ::geteuid();
      case v1::PROTECTION_SYSTEM_CALLS:
        return value("Seccomp") == "2";
      case v1::PROTECTION_PROCESSES:
        return is_elsewhere("ns/pid");
      case v1::PROTECTION_ROOT: {
        const auto mounts = is_elsewhere("ns/mnt");
        const auto root = is_elsewhere("root");
        return mounts && root ? std::optional(*mounts && *root) : std::nullopt;
      }
      case v1::PROTECTION_IPC:
        return is_elsewhere("ns/ipc");
      case v1::PROTECTION_HOST_NAME:
        return is_elsewhere("ns/uts");
      case v1::PROTECTION_GROUPS:
        return is_elsewhere("ns/cgroup");
      case v1::PROTECTION_PRIVILEGES:
        return is_elsewhere("ns/user");
      case v1::PROTECTION_NETWORK:
        return sandbox::is_elsewhere(directory_, "ns/net");  // Its init need not be there.
      default:
        return std::nullopt;
    }
  }

  [[nodiscard]] bool was_told(v1::Protection protection) const {
    return contains(outcome_.done(), protection);
  }

  [[nodiscard]] std::string why_not(v1::Protection protection) const {
    for (const auto& missing : outcome_.missing())
      if (missing.protection() == protection) return missing.because();
    return "it cannot be had here";
  }

 private:
  [[nodiscard]] std::string_view value(std::string_view name) const { return status_.value(name); }

  /// Of the worker, or of its init, which is where it is, and shows itself to a
  /// supervisor that is not root.
  [[nodiscard]] std::optional<bool> is_elsewhere(const std::string& file) const {
    const auto of_worker = sandbox::is_elsewhere(directory_, file);
    return of_worker ? of_worker
                     : sandbox::is_elsewhere("/proc/" + std::string(value("PPid")), file);
  }

  /// The kernel gives what is in /proc/<pid> of such a process to root.
  [[nodiscard]] std::optional<bool> is_not_dumpable() const {
    if (user() == 0) return std::nullopt;
    struct stat entry {};
    return ::stat((directory_ + "/environ").c_str(), &entry) == 0 && entry.st_uid != user();
  }

  const std::string directory_;
  const sys::ProcessStatus status_;
  const v1::SandboxOutcome& outcome_;
  const std::uint32_t user_;
};

bool is_in_force(const v1::SandboxReport& report, v1::Protection protection) {
  return std::any_of(report.protections().begin(), report.protections().end(),
                     [protection](const auto& state) {
                       return state.protection() == protection && state.in_force();
                     });
}

int tier(const v1::SandboxReport& report, const ProtectionModes& modes, bool host_network) {
  const bool own_user = is_in_force(report, v1::PROTECTION_USER);
  for (int tier = 0; tier <= highest_tier; ++tier) {
    for (const auto& state : report.protections()) {
      const auto protection = state.protection();
      if (tier_of(protection) != tier || state.in_force()) continue;
      // Who has a user id of its own has no need of it; and a supervisor that is
      // not root has none to give.
      if (protection == v1::PROTECTION_PRIVILEGES && own_user) continue;
      if (protection == v1::PROTECTION_USER && report.user() != 0) continue;
      // It would be in the way of what was granted.
      if (protection == v1::PROTECTION_NETWORK && host_network &&
          modes.of(protection) != ProtectionMode::off)
        continue;
      return tier - 1;
    }
  }
  return highest_tier;
}

}  // namespace

std::optional<v1::SandboxReport> read_sandbox(pid_t pid, const v1::SandboxOutcome& outcome,
                                              const ProtectionModes& modes, bool host_network) {
  auto status = sys::ProcessStatus::of(pid);
  if (!status || status->value("Uid").empty()) return std::nullopt;
  const Look look(pid, std::move(*status), outcome);
  v1::SandboxReport report;
  report.set_user(look.user());
  report.set_landlock_abi(outcome.landlock_abi());
  for (const auto protection : all_protections()) {
    auto& state = *report.add_protections();
    state.set_protection(protection);
    const auto seen = look.see(protection);
    state.set_in_force(seen.value_or(look.was_told(protection)));
    state.set_seen_by(seen                                 ? "/proc"
                      : protection == v1::PROTECTION_HOSTS ? "supervisor"
                                                           : "worker");
    if (state.in_force()) continue;
    if (modes.of(protection) == ProtectionMode::off) {
      state.set_because("it is switched off");
    } else if (protection == v1::PROTECTION_NETWORK && host_network) {
      state.set_because("the host's network was granted");
    } else if (protection == v1::PROTECTION_USER && report.user() != 0) {
      state.set_because("the supervisor is not root: plugins run as its user");
    } else {
      state.set_because(look.why_not(protection));
    }
  }
  report.set_tier(tier(report, modes, host_network));
  return report;
}

}  // namespace supervisor::sandbox
