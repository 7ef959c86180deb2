#include "supervisor/sandbox/live_sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>

namespace supervisor::sandbox {
namespace {

constexpr int highest_tier = 3;

using Status = std::map<std::string, std::string>;

/// /proc/<pid>/status: what stands before and behind the colons.
Status status_of(const std::string& directory) {
  Status status;
  std::ifstream file(directory + "/status");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto value = line.find_first_not_of("\t ", colon + 1);
    status[line.substr(0, colon)] = value == std::string::npos ? "" : line.substr(value);
  }
  return status;
}

bool is_elsewhere(const std::string& directory, const std::string& file) {
  struct stat theirs {};
  struct stat ours {};
  return ::stat((directory + "/" + file).c_str(), &theirs) == 0 &&
         ::stat(("/proc/self/" + file).c_str(), &ours) == 0 &&
         (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev);
}

bool is_zero(const std::string& digits) {
  return !digits.empty() && digits.find_first_not_of('0') == std::string::npos;
}

class Look {
 public:
  Look(std::string directory, const v1::SandboxOutcome& outcome)
      : directory_(std::move(directory)), status_(status_of(directory_)), outcome_(outcome) {}

  [[nodiscard]] bool is_there() const { return status_.contains("Uid"); }
  [[nodiscard]] std::uint32_t user() const {
    return static_cast<std::uint32_t>(std::stoul(value("Uid")));
  }

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
        return is_elsewhere(directory_, "ns/pid");
      case v1::PROTECTION_ROOT:
        return is_elsewhere(directory_, "ns/mnt") && is_elsewhere(directory_, "root");
      case v1::PROTECTION_IPC:
        return is_elsewhere(directory_, "ns/ipc");
      case v1::PROTECTION_HOST_NAME:
        return is_elsewhere(directory_, "ns/uts");
      case v1::PROTECTION_GROUPS:
        return is_elsewhere(directory_, "ns/cgroup");
      case v1::PROTECTION_PRIVILEGES:
        return is_elsewhere(directory_, "ns/user");
      case v1::PROTECTION_NETWORK:
        return is_elsewhere(directory_, "ns/net");
      default:
        return std::nullopt;
    }
  }

  [[nodiscard]] bool was_told(v1::Protection protection) const {
    return std::find(outcome_.done().begin(), outcome_.done().end(), protection) !=
           outcome_.done().end();
  }

  [[nodiscard]] std::string why_not(v1::Protection protection) const {
    for (const auto& missing : outcome_.missing())
      if (missing.protection() == protection) return missing.because();
    return "it cannot be had here";
  }

 private:
  [[nodiscard]] std::string value(const std::string& name) const {
    const auto found = status_.find(name);
    return found == status_.end() ? "" : found->second;
  }

  /// The kernel gives what is in /proc/<pid> of such a process to root.
  [[nodiscard]] std::optional<bool> is_not_dumpable() const {
    if (user() == 0) return std::nullopt;
    struct stat entry {};
    return ::stat((directory_ + "/environ").c_str(), &entry) == 0 && entry.st_uid != user();
  }

  const std::string directory_;
  const Status status_;
  const v1::SandboxOutcome& outcome_;
};

int tier(const v1::SandboxReport& report, const ProtectionModes& modes, bool host_network) {
  for (int tier = 0; tier <= highest_tier; ++tier) {
    for (const auto& state : report.protections()) {
      const auto protection = state.protection();
      if (tier_of(protection) != tier || state.in_force()) continue;
      // As root there is no need of it, and no use for what was granted.
      if (protection == v1::PROTECTION_PRIVILEGES && report.user() != 0) continue;
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
  const Look look("/proc/" + std::to_string(pid), outcome);
  if (!look.is_there()) return std::nullopt;
  v1::SandboxReport report;
  report.set_user(look.user());
  report.set_landlock_abi(outcome.landlock_abi());
  for (const auto protection : all_protections()) {
    auto& state = *report.add_protections();
    state.set_protection(protection);
    const auto seen = look.see(protection);
    state.set_in_force(seen.value_or(look.was_told(protection)));
    state.set_seen_by(seen ? "/proc" : "worker");
    if (state.in_force()) continue;
    if (modes.of(protection) == ProtectionMode::off) {
      state.set_because("it is switched off");
    } else if (protection == v1::PROTECTION_NETWORK && host_network) {
      state.set_because("the host's network was granted");
    } else {
      state.set_because(look.why_not(protection));
    }
  }
  report.set_tier(tier(report, modes, host_network));
  return report;
}

}  // namespace supervisor::sandbox
