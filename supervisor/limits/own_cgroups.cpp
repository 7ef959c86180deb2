#include "supervisor/limits/own_cgroups.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "supervisor/sys/file.h"

namespace supervisor::limits {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(std::move(part));
  return parts;
}

// mountinfo writes blanks and backslashes as \040 and the like.
std::string unescaped(const std::string& text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    text.begin() + static_cast<std::ptrdiff_t>(i) + 4, is_octal)) {
      out +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct Mount {
  std::string root;  // What of the hierarchy is mounted.
  std::string point;
  bool v2 = false;
  std::vector<std::string> options;  // Of v1: its controllers are among them.
};

std::vector<Mount> cgroup_mounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    const auto words = split(line, ' ');
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 5 || words.end() - dash < 4) continue;
    const std::string& type = dash[1];
    if (type != "cgroup" && type != "cgroup2") continue;
    mounts.push_back(
        {unescaped(words[3]), unescaped(words[4]), type == "cgroup2", split(dash[3], ',')});
  }
  return mounts;
}

// Where the cgroup `own` of a hierarchy is to be seen below one of its mounts.
fs::path directory(const Mount& mount, const std::string& own) {
  std::string below = own;
  if (mount.root != "/" && below.starts_with(mount.root)) below.erase(0, mount.root.size());
  while (below.starts_with('/')) below.erase(0, 1);
  return below.empty() ? fs::path(mount.point) : fs::path(mount.point) / below;
}

}  // namespace

OwnCgroups own_cgroups(std::string_view cgroup, std::string_view mountinfo) {
  OwnCgroups own;
  const auto mounts = cgroup_mounts(mountinfo);
  std::istringstream lines{std::string(cgroup)};
  for (std::string line; std::getline(lines, line);) {
    // "4:memory:/a/b"; "0::/a/b" for version 2.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (path.starts_with("/..")) continue;  // Outside of our cgroup namespace.
    for (const auto& mount : mounts) {
      if (controllers.empty()) {
        if (mount.v2 && own.v2.empty()) own.v2 = directory(mount, path);
        continue;
      }
      for (const auto& controller : split(controllers, ',')) {
        const auto& has = mount.options;
        if (!mount.v2 && std::find(has.begin(), has.end(), controller) != has.end())
          own.v1.try_emplace(controller, directory(mount, path));
      }
    }
  }
  return own;
}

OwnCgroups own_cgroups() {
  try {
    return own_cgroups(sys::read_file("/proc/self/cgroup", 1u << 20),
                       sys::read_file("/proc/self/mountinfo", 16u << 20));
  } catch (const std::exception&) {
    return {};  // No /proc: no cgroups that we could use.
  }
}

}  // namespace supervisor::limits
