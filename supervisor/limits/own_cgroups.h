// Where this process's own cgroups are: one directory per hierarchy. Pure
// functions over what /proc says (cgroups(7), proc(5)).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace supervisor::limits {

struct OwnCgroups {
  std::filesystem::path v2;                         // Empty when none is mounted.
  std::map<std::string, std::filesystem::path> v1;  // By controller, where mounted.
};

/// `cgroup` and `mountinfo` are the texts of /proc/self/cgroup and of
/// /proc/self/mountinfo.
OwnCgroups own_cgroups(std::string_view cgroup, std::string_view mountinfo);

/// Those of this process.
OwnCgroups own_cgroups();

}  // namespace supervisor::limits
