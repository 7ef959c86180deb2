#include "supervisor/sys/process_tree.h"

#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>

#include "supervisor/sys/file.h"
#include "supervisor/sys/process_stat.h"

namespace supervisor::sys {

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  const auto tasks = "/proc/" + std::to_string(pid) + "/task";
  for (std::filesystem::directory_iterator task(tasks, error), end; !error && task != end;
       task.increment(error)) {
    try {
      std::istringstream list(read_file(task->path() / "children", 1u << 20));
      for (pid_t child = 0; list >> child;) children.push_back(child);
    } catch (const std::exception&) {
      // The thread has ended meanwhile.
    }
  }
  return children;
}

std::vector<pid_t> descendants_of(pid_t pid) {
  auto found = children_of(pid);
  for (std::size_t at = 0; at < found.size(); ++at) {
    const auto below = children_of(found[at]);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

int kill_descendants(pid_t root) {
  // All are found before the first is signalled, because its children then
  // belong to another.
  std::vector<pid_t> parents{root};
  std::vector<Pidfd> held;
  for (std::size_t at = 0; at < parents.size(); ++at) {
    const pid_t parent = parents[at];
    for (const pid_t child : children_of(parent)) {
      try {
        auto process = Pidfd::open(child);
        const auto stat = process_stat(child);
        if (!stat || stat->parent != parent || stat->state == 'Z') continue;
        held.push_back(std::move(process));
        parents.push_back(child);
      } catch (const std::system_error&) {
        // It has ended, or we are out of descriptors: the next round sees.
      }
    }
  }
  int signalled = 0;
  for (const auto& process : held) signalled += process.send_signal(SIGKILL) ? 1 : 0;
  return signalled;
}

void kill_with_descendants(const Pidfd& init, bool pid_namespace) {
  if (!pid_namespace) kill_descendants(init.pid());
  init.send_signal(SIGKILL);
}

}  // namespace supervisor::sys
