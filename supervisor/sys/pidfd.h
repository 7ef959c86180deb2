// A process by descriptor: it cannot be mistaken for another that was given
// the same number later. pidfd_open(2), Linux 5.3.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::sys {

/// How a process ended.
struct ExitStatus {
  bool signalled = false;
  int code = 0;  // Exit code, or the signal's number.
};

/// "SIGSEGV"; "signal 62" for one without a name.
std::string signal_name(int signal);

class Pidfd {
 public:
  Pidfd() = default;
  /// Refers to `pid`: a child of ours that is not reaped yet, or a process
  /// whose identity the caller checks once this holds it.
  /// Throws std::system_error.
  static Pidfd open(pid_t pid);
  /// Takes over a descriptor that another process made of `pid`.
  Pidfd(UniqueFd descriptor, pid_t pid) : fd_(std::move(descriptor)), pid_(pid) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  explicit operator bool() const { return static_cast<bool>(fd_); }

  /// False when the process has ended already. Throws on any other error.
  bool send_signal(int signal) const;  // NOLINT(modernize-use-nodiscard)

  /// To every process of the group that this one leads, or led: none can fork
  /// out of it meanwhile. False when there is none, or the kernel cannot
  /// (before Linux 6.9).
  bool send_signal_to_group(int signal) const;  // NOLINT(modernize-use-nodiscard)

  /// It has ended; it may not be reaped yet.
  [[nodiscard]] bool has_ended() const { return ends_within(0); }
  /// Waits for its end, for so many milliseconds.
  [[nodiscard]] bool ends_within(int milliseconds) const;

  /// Reaps the child; call when the descriptor is readable. Nothing when a
  /// debugger has it still: it can be reaped once that lets go. Throws.
  std::optional<ExitStatus> reap();

 private:
  UniqueFd fd_;
  pid_t pid_ = 0;
};

}  // namespace supervisor::sys
