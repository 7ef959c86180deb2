// Namespaces, tried as a worker's init would have them.
#include <linux/sched.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "supervisor/cli/doctor/probe.h"
#include "supervisor/sys/capabilities.h"

namespace supervisor::cli::doctor {
namespace {

// 0, or the errno of the clone or of what `work` did in the child.
int in_child(std::uint64_t flags, int (*work)()) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  const auto pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) ::_exit(work());
  if (pid < 0) return errno;
  int status = 0;
  while (::waitpid(static_cast<pid_t>(pid), &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

// Who is not root makes them inside of a user namespace.
std::uint64_t with_own_privileges(std::uint64_t flags) {
  return sys::is_unprivileged() ? flags | CLONE_NEWUSER : flags;
}

int nothing() { return 0; }

int own_proc() {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return errno;
  return 0;
}

Finding finding(const char* name, int error, const char* found, const char* cost) {
  if (error == 0) return {name, Verdict::ok, found};
  return {name, Verdict::missing, std::strerror(error), cost};
}

}  // namespace

std::vector<Probe> namespace_probes() {
  return {
      {"PID namespaces",
       [] {
         return std::vector{finding(
             "PID namespaces", in_child(with_own_privileges(CLONE_NEWPID | CLONE_NEWNS), own_proc),
             "each worker gets one, with a /proc of its own",
             "what a plugin starts is ended by searching for it, not by the kernel; plugins "
             "see each other's processes")};
       }},
      {"mount namespaces",
       [] {
         return std::vector{finding("mount namespaces",
                                    in_child(with_own_privileges(CLONE_NEWNS), nothing),
                                    "can be made", "no /proc and no /tmp of a worker's own")};
       }},
      {"user namespaces", [] {
         return std::vector{finding("user namespaces", in_child(CLONE_NEWUSER, nothing),
                                    "can be made", "without root, no other namespace can be had")};
       }}};
}

}  // namespace supervisor::cli::doctor
