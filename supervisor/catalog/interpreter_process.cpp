#include "supervisor/catalog/interpreter_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>
#include <csignal>

#include "supervisor/sys/syscall.h"

namespace supervisor::catalog {
namespace {

namespace process = boost::process::v2;

// Runs in the child between fork and exec: only system calls, on values that
// were computed before.
struct Confinement {
  rlimit memory;
  rlimit cpu;

  explicit Confinement(const ProcessLimits& limits)
      : memory{.rlim_cur = limits.memory_bytes, .rlim_max = limits.memory_bytes},
        cpu{.rlim_cur = static_cast<rlim_t>(limits.cpu_time.count()),
            .rlim_max = static_cast<rlim_t>(limits.cpu_time.count()) + 1} {}

  template <typename... Ignored>
  process::error_code on_exec_setup(Ignored&&...) const {
    constexpr rlimit none{.rlim_cur = 0, .rlim_max = 0};
    sigset_t nothing;
    sigemptyset(&nothing);
    const bool done = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                      ::setrlimit(RLIMIT_AS, &memory) == 0 && ::setrlimit(RLIMIT_CPU, &cpu) == 0 &&
                      ::setrlimit(RLIMIT_CORE, &none) == 0 &&
                      // Nothing is to be written but to the pipe.
                      ::setrlimit(RLIMIT_FSIZE, &none) == 0 &&
                      ::sigprocmask(SIG_SETMASK, &nothing, nullptr) == 0 &&
                      // Boost 1.81 means to close what is not wanted, but compares a
                      // descriptor with itself and leaves all below its own pipe open.
                      ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
    return done ? process::error_code()
                : process::error_code(errno, boost::system::system_category());
  }

  // Boost would call exit(), which in a copy of a threaded daemon runs the
  // daemon's own destructors.
  template <typename... Ignored>
  void on_exec_error(Ignored&&...) const {
    ::_exit(127);
  }
};

Failure launch_failure(const std::filesystem::path& python, const std::string& why) {
  return make_failure(v1::REASON_LAUNCH_FAILED, "launch",
                      "The interpreter " + python.string() + " cannot be started: " + why + ".",
                      "Check the configured path of the interpreter.");
}

}  // namespace

InterpreterProcess::InterpreterProcess(sys::Pidfd process, sys::UniqueFd output)
    : process_(std::move(process)), output_(std::move(output)) {}

InterpreterProcess::InterpreterProcess(InterpreterProcess&& other) noexcept
    : process_(std::exchange(other.process_, {})), output_(std::move(other.output_)) {}

InterpreterProcess::~InterpreterProcess() {
  if (!process_) return;
  try {
    kill();
    process_.reap();  // At most the moment that a SIGKILL takes.
  } catch (const std::system_error&) {
    // It is gone already; there is nothing left to end.
  }
}

Outcome<InterpreterProcess> InterpreterProcess::start(const std::filesystem::path& python,
                                                      const std::vector<std::string>& arguments,
                                                      const ProcessLimits& limits) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return launch_failure(python, std::generic_category().message(errno));
  sys::UniqueFd output(ends[0]);
  const sys::UniqueFd input(ends[1]);

  // The launcher tells the context it is given that the process forks, which
  // must not happen to one that other threads run; so this one never runs.
  boost::asio::io_context never_run(1);
  constexpr std::array<const char*, 2> environment{"LC_ALL=C.UTF-8", nullptr};
  process::posix::default_launcher launcher;
  launcher.env = environment.data();
  process::error_code error;
  auto started =
      launcher(never_run.get_executor(), error, python.string(), arguments,
               process::process_stdio{nullptr, input.get(), nullptr}, Confinement(limits));
  if (launcher.pid <= 0) return launch_failure(python, error.message());
  // Ownership passes to the pidfd at once. A child that failed to execute has
  // ended by now, and is reaped by it, too.
  started.detach();
  try {
    InterpreterProcess result(sys::Pidfd::open(launcher.pid), std::move(output));
    if (error) return launch_failure(python, error.message());
    return result;
  } catch (const std::system_error& failed) {
    return launch_failure(python, failed.what());
  }
}

sys::UniqueFd InterpreterProcess::end_descriptor() const {
  return sys::UniqueFd(
      sys::checked("dup pidfd", [this] { return ::fcntl(process_.fd(), F_DUPFD_CLOEXEC, 0); }));
}

void InterpreterProcess::kill() const {
  if (process_) process_.send_signal(SIGKILL);
}

sys::ExitStatus InterpreterProcess::reap() {
  const auto status = process_.reap();
  process_ = {};
  // A debugger has it: as good as killed, for nothing can be known of it.
  return status.value_or(sys::ExitStatus{.signalled = true, .code = SIGKILL});
}

}  // namespace supervisor::catalog
