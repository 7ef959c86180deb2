#include "worker_shim/native/worker_init.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// Everything below runs between a clone and an exec that never comes, in a
// process with one thread: plain system calls on what was computed before.

namespace plugin_worker {
namespace {

constexpr int no_descriptor = -1;

/// "step errno" or "exited 3 ..." as one line of the exit record.
template <typename... Values>
void record(int file, const char* format, Values... values) {
  char line[160];
  const int size = std::snprintf(line, sizeof line, format, values...);
  if (size > 0) {
    [[maybe_unused]] const auto put = ::write(file, line, static_cast<std::size_t>(size));
  }
}

[[noreturn]] void fail(int file, const char* step) {
  record(file, "failed %s %d\n", step, errno);
  ::_exit(125);
}

/// The number of this process in the namespace that /proc shows, which before
/// mount_own_proc() is the spawner's.
pid_t outer_pid() {
  char digits[16];
  const auto size = ::readlink("/proc/self", digits, sizeof digits - 1);
  if (size <= 0) return 0;
  digits[size] = '\0';
  return static_cast<pid_t>(std::strtol(digits, nullptr, 10));
}

/// A number that no process or thread has, in the namespace that /proc shows;
/// 0 when none was found. Below `outer`: those above are what the kernel gives
/// next, to whoever starts a process at this moment.
pid_t free_number(pid_t outer) {
  constexpr pid_t first = 301;  // The kernel's own allocation begins there anew.
  constexpr int tries = 4096;
  for (pid_t pid = outer - 1; pid >= first && pid > outer - tries; --pid) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d", pid);
    // Threads are found there, too, though they are not listed (proc(5)).
    if (::access(path, F_OK) != 0 && errno == ENOENT) return pid;
  }
  return 0;
}

/// Forks under the same number inside and outside of the namespace: what the
/// plugin writes into lock files and logs is what an admin sees in ps. `free`
/// was so a moment ago; that a number is taken shows only at the end of a fork
/// that was in vain, so it is not tried often.
pid_t fork_same_number(const ForkIdentity& identity, pid_t free) {
  constexpr int tries = 4;
  for (int i = 0; free > tries && i < tries; ++i) {
    const pid_t pid = identity.fork_as(free - i, true);
    if (pid >= 0) return pid;
    if (errno != EEXIST) break;
  }
  // Not allowed: any number will do.
  return ::fork();
}

void sleep_ms(long ms) {
  timespec pause{ms / 1000, (ms % 1000) * 1'000'000};
  ::nanosleep(&pause, nullptr);
}

/// Signals every child of this process. The number of them.
int signal_children(int signal) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/children", ::getpid());
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  static char text[1 << 16];
  ssize_t size = 0;
  ssize_t got = 0;
  while ((got = ::read(file, text + size, sizeof text - 1 - static_cast<std::size_t>(size))) > 0)
    size += got;
  ::close(file);
  text[size] = '\0';
  int count = 0;
  for (char* at = text; *at != '\0';) {
    char* end = nullptr;
    const long pid = std::strtol(at, &end, 10);
    if (end == at) break;
    ::kill(static_cast<pid_t>(pid), signal);
    ++count;
    at = end;
  }
  return count;
}

/// Ends what the worker left: orphans fall to this process one generation at a
/// time, as those above them die.
void end_descendants() {
  constexpr int rounds = 400;
  for (int round = 0; round < rounds; ++round) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (signal_children(SIGKILL) == 0) return;
    sleep_ms(round < 20 ? 1 : 10);
  }
}

[[noreturn]] void reap_until_worker_ends(pid_t worker, const InitSetup& setup) {
  for (;;) {
    int status = 0;
    rusage usage{};
    const pid_t pid = ::wait4(-1, &status, 0, &usage);
    if (pid < 0 && errno == EINTR) continue;
    if (pid != worker && pid > 0) continue;
    const bool signalled = pid > 0 && WIFSIGNALED(status);
    const int code = pid < 0 ? 125 : signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    record(setup.exit_record, "%s %d\n", signalled ? "signalled" : "exited", code);
    // In a PID namespace the kernel ends the others, and this process is not
    // seen to have ended before they have (pid_namespaces(7)).
    if (!setup.pid_namespace) end_descendants();
    ::_exit(signalled ? 128 + code : code);
  }
}

/// Into the groups that limit this launch, before there is anything to limit.
/// The supervisor looks whether it came about.
void join_groups(const InitSetup& setup) {
  for (std::size_t i = 0; i < setup.task_file_count; ++i) {
    [[maybe_unused]] const auto put = ::write(setup.task_files[i], "0", 1);
  }
}

void limit_open_files(unsigned open_files) {
  if (open_files == 0) return;
  const rlimit limit{open_files, open_files};
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

const char* mount_own_proc() {
  // Nothing mounted here may show outside.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "private_mounts";
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return "mount_proc";
  return nullptr;
}

void fail_before_exec(const char* step) { fail(record_until_exec, step); }

void become_init(const InitSetup& setup) {
  join_groups(setup);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  ::prctl(PR_SET_NAME, "plugin-init", 0, 0, 0);
  const pid_t outer = outer_pid();
  // By this, and by the open file, a later supervisor knows this process.
  record(setup.exit_record, "began %d %d\n", outer, setup.pid_namespace ? 1 : 0);
  const pid_t free = setup.pid_namespace ? free_number(outer) : 0;  // While /proc shows them.
  if (setup.pid_namespace) {
    if (const char* step = mount_own_proc()) fail(setup.exit_record, step);
  } else if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    fail(setup.exit_record, "subreaper");
  }
  const pid_t worker = setup.pid_namespace ? fork_same_number(*setup.identity, free) : ::fork();
  if (worker < 0) fail(setup.exit_record, "fork_worker");
  if (worker > 0) {
    // The pipes must end when the worker's processes have closed them.
    const int record = ::dup2(setup.exit_record, 3);
    ::close_range(4, ~0U, 0);
    for (int fd = 0; fd <= 2; ++fd) ::close(fd);
    InitSetup kept = setup;
    kept.exit_record = record;
    reap_until_worker_ends(worker, kept);
  }
  limit_open_files(setup.open_files);
  // A session of its own: no terminal, and a group that can be ended whole.
  if (::setsid() == -1) fail(setup.exit_record, "setsid");
  if (::dup2(setup.out, 1) == -1 || ::dup2(setup.err, 2) == -1 ||
      ::dup2(setup.assignment, assignment_fd) == -1)
    fail(setup.exit_record, "descriptors");
  if (setup.will_exec && setup.exit_record != record_until_exec &&
      ::dup3(setup.exit_record, record_until_exec, O_CLOEXEC) == -1)
    fail(setup.exit_record, "descriptors");
  if (::close_range(setup.will_exec ? record_until_exec + 1 : 4, ~0U, 0) != 0)
    fail(no_descriptor, "close_range");
  // Until it is told what to be; see assignment.cpp.
  ::prctl(PR_SET_NAME, "plugin-spare", 0, 0, 0);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace plugin_worker
