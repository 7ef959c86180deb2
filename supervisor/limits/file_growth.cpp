#include "supervisor/limits/file_growth.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::limits {
namespace {

constexpr int patience_ms = 1000;

/// False when it is there, and it was not done. Async-signal-safe.
bool set_largest_file(pid_t process, rlim_t bytes) {
  rlimit limit{};
  if (::prlimit(process, RLIMIT_FSIZE, nullptr, &limit) != 0) return errno == ESRCH;
  limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
  return ::prlimit(process, RLIMIT_FSIZE, &limit, nullptr) == 0 || errno == ESRCH;
}

bool set_all(const std::vector<pid_t>& processes, rlim_t bytes) {
  bool done = true;
  for (const auto process : processes) done = set_largest_file(process, bytes) && done;
  return done;
}

/// By a process that is whom they belong to (prlimit(2)): a thread that became
/// that user would be in reach of it. The kernel makes a process that changes
/// its user undumpable, so that what it has copied of us cannot be read.
bool set_all_as(const GrowthSubject& subject, const std::vector<pid_t>& processes, rlim_t bytes) {
  // Not fork(): handlers of other threads' libraries would run. Without a signal
  // at its end nobody else waits for it. Not clone3(), which container engines
  // refuse.
  int descriptor = -1;
  const auto child = ::syscall(SYS_clone, CLONE_PIDFD, nullptr, &descriptor, nullptr, nullptr);
  if (child < 0) return false;
  if (child == 0) {
    const bool is_user =
        ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
        ::syscall(SYS_setresgid, subject.group, subject.group, subject.group) == 0 &&
        ::syscall(SYS_setresuid, subject.user, subject.user, subject.user) == 0;
    ::_exit(is_user && set_all(processes, bytes) ? 0 : 1);
  }
  const sys::Pidfd process(sys::UniqueFd(descriptor), static_cast<pid_t>(child));
  // Where nothing else stands between them, the plugin may stop it.
  if (!process.ends_within(patience_ms)) process.send_signal(SIGKILL);
  int status = 0;
  const auto ended =
      sys::retry_on_eintr([&] { return ::waitpid(static_cast<pid_t>(child), &status, __WALL); });
  return ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Whoever is forked before its parent's limit was changed is seen the next
/// time; nobody else is new then.
bool set_for_all(const GrowthSubject& subject, rlim_t bytes) {
  constexpr int rounds = 16;
  const bool ours = subject.user == ::geteuid() && subject.group == ::getegid();
  std::set<pid_t> known;
  for (int round = 0; round < rounds; ++round) {
    auto processes = subject.processes();
    std::erase_if(processes, [&known](pid_t process) { return !known.insert(process).second; });
    if (processes.empty()) return true;
    if (!(ours ? set_all(processes, bytes) : set_all_as(subject, processes, bytes))) return false;
  }
  return false;
}

}  // namespace

bool refuse_growth(const GrowthSubject& subject) { return set_for_all(subject, 0); }

bool allow_growth(const GrowthSubject& subject, std::uint64_t largest_file) {
  return set_for_all(subject, largest_file == 0 ? RLIM_INFINITY : largest_file);
}

}  // namespace supervisor::limits
