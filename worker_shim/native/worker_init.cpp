#include "worker_shim/native/worker_init.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// Everything below runs between a clone and an exec, or the return to Python,
// beside a spawner that waits and whose memory it may share: plain system calls on what was
// computed before.

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
/// make_own_mounts() is the spawner's.
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
  return identity.fork();
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

/// A program in memory would pass by all rules for files (memfd_create(2)). Of
/// this PID namespace; kernels before 6.3 have no such setting.
void forbid_executable_memory_files() {
  const int file = ::open("/proc/sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const auto put = ::write(file, "2", 1);
  ::close(file);
}

/// A network of one's own begins with it down.
void bring_loopback_up() {
  const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (any < 0) return;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", sizeof "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ::ioctl(any, SIOCSIFFLAGS, &request);
  ::close(any);
}

/// Of the worker: its output, the pipe that tells it what to be, and what it
/// needs on its way there. Everything else is closed.
void place_descriptors(const InitSetup& setup) {
  constexpr int above_all = 16;
  const auto out_of_the_way = [&setup](int fd) {
    const int moved = fd < 0 ? fd : ::fcntl(fd, F_DUPFD_CLOEXEC, above_all);
    if (fd >= 0 && moved < 0) fail(setup.exit_record, "descriptors");
    return moved;
  };
  const int record = out_of_the_way(setup.exit_record);
  const int out = out_of_the_way(setup.out);
  const int err = out_of_the_way(setup.err);
  const int assignment = out_of_the_way(setup.assignment);
  const int network = out_of_the_way(setup.host_network);
  if (::dup2(out, 1) < 0 || ::dup2(err, 2) < 0 || ::dup2(assignment, assignment_fd) < 0 ||
      ::dup3(record, record_until_exec, O_CLOEXEC) < 0 ||
      (network >= 0 && ::dup3(network, host_network_fd, O_CLOEXEC) < 0))
    fail(record, "descriptors");
  if (network < 0) ::close(host_network_fd);
  if (::close_range(host_network_fd + 1, ~0U, 0) != 0) fail(record_until_exec, "close_range");
  if (!setup.will_exec) ::close(record_until_exec);
}

/// Without an init there shall be no worker.
[[noreturn]] void give_up(pid_t worker, int file, const char* step) {
  const int error = errno;
  ::kill(worker, SIGKILL);
  errno = error;
  fail(file, step);
}

/// What is left for the init to do needs none of the spawner's memory: it
/// becomes a small program (init/plugin_init.cpp) that holds the exit record as
/// descriptor 3 and nothing else. The pipes must end when the worker's processes
/// have closed them.
[[noreturn]] void execute_init(const InitSetup& setup, pid_t worker) {
  constexpr int record_place = 3;
  constexpr int program_place = 4;
  // Above the places, so that neither is overwritten.
  const int record = ::fcntl(setup.exit_record, F_DUPFD_CLOEXEC, program_place + 1);
  const int program = ::fcntl(setup.init_program, F_DUPFD_CLOEXEC, program_place + 1);
  if (record < 0 || program < 0 || ::dup2(record, record_place) < 0 ||
      ::dup3(program, program_place, O_CLOEXEC) < 0)
    give_up(worker, setup.exit_record, "init_descriptors");
  ::close_range(program_place + 1, ~0U, 0);
  for (int fd = 0; fd <= 2; ++fd) ::close(fd);
  char number[16];
  std::snprintf(number, sizeof number, "%d", worker);
  char name[] = "plugin-init";
  char mode[] = {setup.pid_namespace ? '1' : '0', '\0'};
  char* const arguments[] = {name, number, mode, nullptr};
  ::syscall(SYS_execveat, program_place, "", arguments, environ, AT_EMPTY_PATH);
  give_up(worker, record_place, "exec_init");
}

}  // namespace

const char* make_own_mounts(const sandbox::RootSetup* root) {
  // Nothing mounted here may show outside.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "private_mounts";
  if (root != nullptr) return sandbox::begin_root(*root);
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
  // Not made with the clone: its root is where its maker is at the moment, and
  // what is above that is what it hides (cgroup_namespaces(7)).
  if (setup.own_groups && ::unshare(CLONE_NEWCGROUP) != 0)
    fail(setup.exit_record, "cgroup_namespace");
  const pid_t free = setup.pid_namespace ? free_number(outer) : 0;  // While /proc shows them.
  if (setup.pid_namespace) {
    if (const char* step = make_own_mounts(setup.root)) fail(setup.exit_record, step);
    forbid_executable_memory_files();
  } else if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    fail(setup.exit_record, "subreaper");
  }
  if (setup.host_name) ::sethostname("plugin", 6);
  if (setup.host_network >= 0) bring_loopback_up();
  const pid_t worker =
      setup.pid_namespace ? fork_same_number(*setup.identity, free) : setup.identity->fork();
  if (worker < 0) fail(setup.exit_record, "fork_worker");
  if (worker > 0) execute_init(setup, worker);
  limit_open_files(setup.open_files);
  // A session of its own: no terminal, and a group that can be ended whole.
  if (::setsid() == -1) fail(setup.exit_record, "setsid");
  place_descriptors(setup);
  // Until it is told what to be; see assignment.cpp. Nobody else of our user may
  // look at it, or into its pipe, meanwhile. An exec ends that as well.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  ::prctl(PR_SET_NAME, "plugin-spare", 0, 0, 0);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace plugin_worker
