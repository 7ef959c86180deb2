// What limits can be enforced by, tried below the cgroups that pluginctl is in:
// a supervisor that is started elsewhere may have others.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "supervisor/cli/doctor/probe.h"
#include "supervisor/limits/cgroup.h"
#include "supervisor/limits/own_cgroups.h"
#include "supervisor/sys/file.h"

namespace supervisor::cli::doctor {
namespace {

using limits::Cgroup;
using limits::CgroupFiles;

std::string probe_name() { return "plugin-doctor-" + std::to_string(::getpid()); }

std::string words_of(const std::filesystem::path& file) {
  std::string words;
  std::istringstream text(sys::read_file(file, 4096));
  for (std::string word; text >> word;) words += (words.empty() ? "" : " ") + word;
  return words;
}

bool holds(const std::string& words, const std::string& word) {
  return (" " + words + " ").find(" " + word + " ") != std::string::npos;
}

// Looks only: to hand controllers down, processes would have to be moved.
Finding version_2(const limits::OwnCgroups& own) {
  const std::string cost = "limits need cgroup v1, or sampling";
  if (own.v2.empty()) return {"cgroup v2", Verdict::missing, "not mounted", cost};
  const auto made = Cgroup::make(Cgroup::Version::v2, own.v2 / probe_name());
  if (!made)
    return {"cgroup v2", Verdict::missing,
            "no group can be made below " + own.v2.string() + ": " + std::strerror(errno),
            cost + "; delegate the group (systemd: Delegate=yes)"};
  const auto controllers = words_of(own.v2 / "cgroup.controllers");
  if (holds(controllers, "memory") && holds(controllers, "pids"))
    return {"cgroup v2", Verdict::ok, "delegated: " + controllers};
  return {"cgroup v2", Verdict::missing,
          "groups can be made, but have no controllers for memory and processes" +
              (controllers.empty() ? std::string() : " (only " + controllers + ")"),
          cost};
}

Finding version_1(const limits::OwnCgroups& own) {
  const std::string cost = "limits need cgroup v2, or sampling";
  std::string works;
  std::string problems;
  const std::pair<const char*, std::pair<const char*, const char*>> tried[] = {
      {"memory", {"memory.limit_in_bytes", "1073741824"}},
      {"pids", {"pids.max", "512"}},
      {"cpu", {"cpu.cfs_quota_us", "100000"}}};
  for (const auto& [controller, limit] : tried) {
    const auto found = own.v1.find(controller);
    if (found == own.v1.end()) continue;
    const auto made = Cgroup::make(Cgroup::Version::v1, found->second / probe_name());
    if (made && made->set(limit.first, limit.second)) {
      works += std::string(works.empty() ? "" : " ") + controller;
    } else {
      problems +=
          std::string(problems.empty() ? "" : "; ") + controller + ": " + std::strerror(errno);
    }
  }
  if (holds(works, "memory") && holds(works, "pids"))
    return {"cgroup v1", Verdict::ok, "groups take limits: " + works};
  return {
      "cgroup v1", Verdict::missing,
      problems.empty() ? std::string("no hierarchy for memory and processes is mounted") : problems,
      cost};
}

}  // namespace

std::vector<Probe> cgroup_probes() {
  return {{"cgroups", [] {
             const auto own = limits::own_cgroups();
             std::vector<Finding> findings{version_2(own), version_1(own)};
             // One of the two is enough for limits.
             const bool any =
                 findings[0].verdict == Verdict::ok || findings[1].verdict == Verdict::ok;
             for (auto& finding : findings)
               if (any && finding.verdict != Verdict::ok)
                 finding.cost = "nothing: limits are set in groups of the other version";
             findings.push_back(
                 any ? Finding{"limits", Verdict::ok, "enforced by the kernel"}
                     : Finding{"limits", Verdict::missing, "memory and processes are sampled",
                               "a plugin can be over its limit for a moment; processor time is "
                               "not limited"});
             return findings;
           }}};
}

}  // namespace supervisor::cli::doctor
