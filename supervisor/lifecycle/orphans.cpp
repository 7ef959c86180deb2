#include "supervisor/lifecycle/orphans.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "supervisor/sys/file.h"
#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {
namespace {

bool carries(int pid, std::string_view mark) {
  std::string environment;
  try {
    environment = sys::read_file("/proc/" + std::to_string(pid) + "/environ", 4u << 20);
  } catch (const std::exception&) {
    return false;
  }
  const std::string wanted =
      '\0' + std::string(launch_mark_variable) + "=" + std::string(mark) + '\0';
  return ('\0' + environment).find(wanted) != std::string::npos;
}

bool is_zombie(int pid) {
  try {
    const auto stat = sys::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    const auto name_end = stat.rfind(')');
    return name_end != std::string::npos && stat.compare(name_end, 3, ") Z") == 0;
  } catch (const std::exception&) {
    return false;
  }
}

// One look of the kernel, where looking at each of a thousand children is not.
bool has_ended_child() {
  siginfo_t ended{};
  return ::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 && ended.si_pid != 0;
}

std::vector<int> all_processes() {
  std::vector<int> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && pid != ::getpid()) pids.push_back(pid);
  }
  return pids;
}

// Kills those that carry `mark`, and returns them.
std::vector<int> end_those_of(const std::vector<int>& candidates, std::string_view mark) {
  std::vector<int> found;
  for (const int pid : candidates) {
    if (!carries(pid, mark)) continue;
    try {
      // The descriptor is opened before the mark is read again, so that the
      // process signalled is the one that carries it.
      auto process = sys::Pidfd::open(pid);
      if (!carries(pid, mark)) continue;
      process.send_signal(SIGKILL);
      found.push_back(pid);
      if (process.has_ended()) process.reap();
    } catch (const std::system_error&) {
      // It ended by itself between two of our looks, or is another's to reap.
    }
  }
  return found;
}

}  // namespace

Orphans::Orphans() {
  sys::checked("prctl PR_SET_CHILD_SUBREAPER",
               [] { return ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); });
}

std::vector<int> Orphans::end(std::string_view mark) {
  return end_those_of(sys::children_of(::getpid()), mark);
}

std::vector<int> Orphans::end_anywhere(std::string_view mark) {
  return end_those_of(all_processes(), mark);
}

void Orphans::reap_ended() {
  if (!has_ended_child()) {
    zombies_.clear();
    return;
  }
  std::set<int> now;
  for (const int pid : sys::children_of(::getpid())) {
    if (!is_zombie(pid)) continue;
    if (zombies_.contains(pid)) {
      ::waitpid(pid, nullptr, WNOHANG);
    } else {
      now.insert(pid);
    }
  }
  zombies_ = std::move(now);
}

}  // namespace supervisor::lifecycle
