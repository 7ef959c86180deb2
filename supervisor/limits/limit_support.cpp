#include "supervisor/limits/limit_support.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "supervisor/catalog/fingerprint.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/file.h"

namespace supervisor::limits {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_name = 80;  // Of a plugin within a group's name.

std::string hash(const std::string& text) {
  catalog::Fingerprint fingerprint;
  fingerprint.add(text);
  return fingerprint.hex();
}

std::string error_text() { return std::strerror(errno); }

bool holds_word(const fs::path& file, const std::string& word) {
  std::string text;
  try {
    text = sys::read_file(file, 4096);
  } catch (const std::exception&) {
    return false;
  }
  std::istringstream words(text);
  for (std::string found; words >> found;)
    if (found == word) return true;
  return false;
}

// A process may not be in a group whose children have controllers
// (cgroups(7), "no internal processes"): we move into a child of our own. Only
// when we are alone there; others' processes are not ours to move.
bool leave_for_child(const CgroupFiles& own) {
  if (own.processes() != std::vector<pid_t>{::getpid()}) return false;
  const auto child = own.directory() / "supervisor";
  if (::mkdir(child.c_str(), 0755) != 0 && errno != EEXIST) return false;
  return CgroupFiles(Cgroup::Version::v2, child).set("cgroup.procs", "0");
}

// Hands `controller` down to the children of `group`.
bool hand_down(const CgroupFiles& group, const std::string& controller) {
  if (holds_word(group.directory() / "cgroup.subtree_control", controller)) return true;
  if (group.set("cgroup.subtree_control", "+" + controller)) return true;
  return errno == EBUSY && leave_for_child(group) &&
         group.set("cgroup.subtree_control", "+" + controller);
}

}  // namespace

std::string LimitSupport::group_name(const std::string& plugin, std::uint64_t generation) {
  std::string name;
  for (const char c : plugin) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain) name += c;
  }
  // What had to be left out, or cut, is told apart by a hash of the whole.
  if (name != plugin || name.size() > longest_name)
    name = name.substr(0, longest_name) + "~" + hash(plugin);
  return name + "." + std::to_string(generation);
}

LimitSupport::LimitSupport(const OwnCgroups& own, MechanismChoice choice,
                           const fs::path& runtime_dir)
    : name_("plugin-supervisor-" + hash(runtime_dir.string())) {
  if (choice == MechanismChoice::sampling) {
    for (auto* resource : {&memory_, &processes_, &cpus_})
      resource->why_not = "--limit-mechanism is sampling";
    return;
  }
  if (!own.v2.empty()) try_v2(own.v2);
  try_v1(own, "memory", "memory.limit_in_bytes", "1073741824", memory_);
  try_v1(own, "pids", "pids.max", "512", processes_);
  try_v1(own, "cpu", "cpu.cfs_quota_us", "100000", cpus_);
  const auto mechanism = [](const Controller& resource) {
    return v1::LimitMechanism_Name(resource.by);
  };
  logs::log_event(spdlog::level::info, "limits.support",
                  {{"memory", mechanism(memory_)},
                   {"processes", mechanism(processes_)},
                   {"cpus", mechanism(cpus_)},
                   {"groups", name_}});
  for (const auto* resource : {&memory_, &processes_}) {
    if (choice == MechanismChoice::cgroup && resource->by == v1::LIMIT_MECHANISM_NONE)
      throw std::runtime_error("--limit-mechanism is cgroup, but " + resource->why_not);
  }
  find_leftovers();
}

LimitSupport::~LimitSupport() {
  for (const auto& parent : parents_) ::rmdir(parent.c_str());
}

void LimitSupport::try_v2(const fs::path& own) {
  const CgroupFiles here(Cgroup::Version::v2, own);
  const fs::path parent = own / name_;
  if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
    for (auto* resource : {&memory_, &processes_, &cpus_})
      resource->why_not = "no cgroup can be made below " + own.string() + ": " + error_text();
    return;
  }
  parents_.push_back(parent);
  unified_ = parent;
  const CgroupFiles group(Cgroup::Version::v2, parent);
  const std::pair<const char*, Controller*> wanted[] = {
      {"memory", &memory_}, {"pids", &processes_}, {"cpu", &cpus_}};
  for (const auto& [controller, resource] : wanted) {
    if (!holds_word(own / "cgroup.controllers", controller)) {
      resource->why_not = std::string("the controller ") + controller + " is not delegated to us";
    } else if (!hand_down(here, controller) || !hand_down(group, controller)) {
      resource->why_not = std::string("the controller ") + controller +
                          " cannot be handed down from " + own.string() + ": " + error_text();
    } else {
      resource->by = v1::LIMIT_MECHANISM_CGROUP_V2;
      resource->parent = parent;
      resource->why_not.clear();
    }
  }
}

void LimitSupport::try_v1(const OwnCgroups& own, const std::string& controller, const char* file,
                          const char* value, Controller& resource) {
  if (resource.by != v1::LIMIT_MECHANISM_NONE) return;
  const auto found = own.v1.find(controller);
  if (found == own.v1.end()) {
    if (resource.why_not.empty())
      resource.why_not = "no hierarchy with the controller " + controller + " is mounted";
    return;
  }
  const fs::path parent = found->second / name_;
  if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
    resource.why_not =
        "no cgroup can be made below " + found->second.string() + ": " + error_text();
    return;
  }
  if (std::find(parents_.begin(), parents_.end(), parent) == parents_.end())
    parents_.push_back(parent);
  const auto probe = Cgroup::make(Cgroup::Version::v1, parent / "probe");
  if (!probe || !probe->set(file, value)) {
    resource.why_not = "a cgroup below " + parent.string() + " takes no limit: " + error_text();
    return;
  }
  resource.by = v1::LIMIT_MECHANISM_CGROUP_V1;
  resource.parent = parent;
  resource.why_not.clear();
}

void LimitSupport::find_leftovers() {
  for (const auto& parent : parents_) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(parent, error)) {
      std::error_code ignored;
      if (entry.is_directory(ignored)) leftovers_->add(entry.path());
    }
  }
}

}  // namespace supervisor::limits
