#include "supervisor/spawner/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <csignal>

#include "supervisor/sys/syscall.h"

namespace supervisor::spawner {
namespace {

namespace process = boost::process::v2;

// What the child does between fork and exec. Only async-signal-safe calls: the
// parent has threads, whose locks the child inherits in whatever state.
struct ChildSetup {
  int in;
  int out;
  int err;
  int extra;

  template <typename Launcher, typename Path>
  boost::system::error_code on_exec_setup(Launcher&, const Path&, const char* const*(&)) {
    // A session of its own: no terminal, and a group that can be ended whole.
    if (::setsid() == -1) return failed();
    if (::dup2(in, 0) == -1 || ::dup2(out, 1) == -1 || ::dup2(err, 2) == -1) return failed();
    if (::dup2(extra, 3) == -1) return failed();
    if (::chdir("/") == -1) return failed();
    ::umask(077);
    // exec keeps ignored signals ignored and the mask as it is: start clean.
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    // The launcher misses descriptors between stderr and its own pipe. Marked
    // rather than closed: that pipe must still tell a failed exec.
    if (::close_range(4, ~0U, CLOSE_RANGE_CLOEXEC) == -1) return failed();
    return {};
  }

  template <typename Launcher, typename Path>
  void on_exec_error(Launcher&, const Path&, const char* const*(&),
                     const boost::system::error_code&) {
    // The launcher would call exit() here, which runs the parent's static
    // destructors (gRPC's among them) in a child that has no other thread.
    ::_exit(127);
  }

 private:
  static boost::system::error_code failed() { return {errno, boost::system::system_category()}; }
};

Failure not_started(const std::filesystem::path& program, const std::string& why) {
  return make_failure(v1::REASON_LAUNCH_FAILED, "launch",
                      program.string() + " could not be started: " + why + ".",
                      "Check the interpreter's path and its permissions.");
}

}  // namespace

Outcome<sys::Pidfd> start_child(const ChildPlan& plan) try {
  const sys::UniqueFd null(
      sys::checked("open /dev/null", [] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }));
  std::vector<const char*> environment;
  environment.reserve(plan.environment.size() + 1);
  for (const auto& variable : plan.environment) environment.push_back(variable.c_str());
  environment.push_back(nullptr);

  process::posix::default_launcher launcher;
  launcher.env = environment.data();
  launcher.fd_whitelist.push_back(3);
  // The launcher tells the execution context that a fork happens, and Asio
  // then remakes its epoll set in the child under locks that another thread
  // may hold. A context that nobody runs has neither.
  boost::asio::io_context idle;
  boost::system::error_code error;
  auto child = launcher(idle.get_executor(), error, plan.program.string(), plan.arguments,
                        ChildSetup{null.get(), plan.out, plan.err, plan.extra});
  if (error) {
    // A child that could not exec is given up by the launcher, but not reaped.
    if (launcher.pid > 0) ::waitpid(launcher.pid, nullptr, 0);
    return not_started(plan.program, error.message());
  }
  auto pidfd = sys::Pidfd::open(child.id());
  child.detach();
  return pidfd;
} catch (const std::system_error& error) {
  return not_started(plan.program, error.what());
}

}  // namespace supervisor::spawner
