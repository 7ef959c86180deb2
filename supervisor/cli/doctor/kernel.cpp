// The kernel itself: its version, and the calls that nothing works without.
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "supervisor/cli/doctor/probe.h"
#include "supervisor/sys/pidfd.h"

namespace supervisor::cli::doctor {
namespace {

constexpr rlim_t enough_files = 16384;  // A plugin takes about eight.

Finding version() {
  utsname names{};
  ::uname(&names);
  int major = 0;
  int minor = 0;
  const bool read = std::sscanf(names.release, "%d.%d", &major, &minor) == 2;
  const bool enough = read && (major > 5 || (major == 5 && minor >= 9));
  return {"kernel", enough ? Verdict::ok : Verdict::failed, names.release,
          enough ? "" : "Linux 5.9 or newer is needed", true};
}

Finding clone3() {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  const auto pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) ::_exit(0);
  if (pid > 0) return {"clone3", Verdict::ok, "processes are made with it", "", true};
  if (errno == ENOSYS)  // What a container's seccomp profile says of it.
    return {"clone3", Verdict::missing, std::strerror(errno),
            "workers are made with clone(): a start takes a little longer"};
  return {"clone3", Verdict::missing, std::strerror(errno),
          "no worker can be forked; a container's seccomp profile may refuse it", true};
}

Finding pidfd() {
  try {
    const auto self = sys::Pidfd::open(::getpid());
    self.send_signal(0);
    return {"pidfd", Verdict::ok, "processes are signalled by descriptor", "", true};
  } catch (const std::exception& error) {
    return {"pidfd", Verdict::missing, error.what(), "processes cannot be followed safely", true};
  }
}

Finding close_range() {
  if (::syscall(SYS_close_range, ~0U, ~0U, 0) == 0)
    return {"close_range", Verdict::ok, "descriptors are closed in one call", "", true};
  return {"close_range", Verdict::missing, std::strerror(errno),
          "workers cannot be kept from inheriting descriptors", true};
}

Finding open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const bool enough = limit.rlim_max >= enough_files;
  return {"open files", enough ? Verdict::ok : Verdict::missing,
          "at most " + std::to_string(limit.rlim_max) + " in a process",
          enough ? ""
                 : "about " + std::to_string(limit.rlim_max / 10) +
                       " plugins can run; raise LimitNOFILE"};
}

}  // namespace

std::vector<Probe> kernel_probes() {
  return {{"kernel",
           [] {
             return std::vector{version(), clone3(), pidfd(), close_range()};
           },
           true},
          {"open files", [] { return std::vector{open_files()}; }}};
}

}  // namespace supervisor::cli::doctor
