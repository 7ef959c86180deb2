#include "supervisor/sys/pidfd.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <csignal>
#include <cstring>
#include <system_error>

#include "supervisor/sys/syscall.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace supervisor::sys {

std::string signal_name(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  return abbreviation != nullptr ? std::string("SIG") + abbreviation
                                 : "signal " + std::to_string(signal);
}

Pidfd Pidfd::open(pid_t pid) {
  Pidfd result;
  result.fd_ = UniqueFd(static_cast<int>(checked(
      "pidfd_open " + std::to_string(pid), [&] { return ::syscall(SYS_pidfd_open, pid, 0); })));
  result.pid_ = pid;
  return result;
}

bool Pidfd::send_signal(int signal) const {
  const auto result = retry_on_eintr(
      [&] { return ::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0); });
  if (result == 0) return true;
  if (errno == ESRCH) return false;
  throw_errno("pidfd_send_signal " + signal_name(signal));
}

bool Pidfd::send_signal_to_group(int signal) const {
  constexpr unsigned process_group = 1U << 2;  // PIDFD_SIGNAL_PROCESS_GROUP
  return retry_on_eintr([&] {
           return ::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, process_group);
         }) == 0;
}

bool Pidfd::ends_within(int milliseconds) const {
  pollfd ended{fd_.get(), POLLIN, 0};
  return retry_on_eintr([&] { return ::poll(&ended, 1, milliseconds); }) == 1;
}

std::optional<ExitStatus> Pidfd::reap() {
  siginfo_t info{};
  const int done = retry_on_eintr([&] {
    return ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(fd_.get()), &info, WEXITED);
  });
  // The descriptor is non-blocking, so this does not wait for the debugger.
  if (done != 0 && errno == EAGAIN) return std::nullopt;
  if (done != 0) throw std::system_error(errno, std::generic_category(), "waitid");
  return ExitStatus{.signalled = info.si_code != CLD_EXITED, .code = info.si_status};
}

}  // namespace supervisor::sys
