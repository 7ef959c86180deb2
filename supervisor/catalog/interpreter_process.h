// A Python interpreter that runs one trusted script over untrusted input: no
// environment, no inputs, little memory, and gone when this object is gone.
// Owned by one coroutine on the Asio thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/sys/failure.h"
#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::catalog {

struct ProcessLimits {
  std::size_t memory_bytes = std::size_t{512} << 20;  // RLIMIT_AS
  std::chrono::seconds cpu_time{5};                   // RLIMIT_CPU
};

class InterpreterProcess {
 public:
  /// Starts `python` with `arguments`. Returns once it is executed, within
  /// milliseconds. LAUNCH_FAILED when it cannot be.
  static Outcome<InterpreterProcess> start(const std::filesystem::path& python,
                                           const std::vector<std::string>& arguments,
                                           const ProcessLimits& limits);

  InterpreterProcess(InterpreterProcess&& other) noexcept;
  InterpreterProcess& operator=(InterpreterProcess&&) = delete;
  InterpreterProcess(const InterpreterProcess&) = delete;
  InterpreterProcess& operator=(const InterpreterProcess&) = delete;
  /// Kills the process if it still runs, and reaps it.
  ~InterpreterProcess();

  /// The end of its standard output that is read. Given away once.
  [[nodiscard]] sys::UniqueFd take_output() { return std::move(output_); }
  /// A duplicate of its pidfd: readable when it has ended.
  [[nodiscard]] sys::UniqueFd end_descriptor() const;

  void kill() const;
  /// How it ended; call once, when the descriptor is readable.
  sys::ExitStatus reap();

 private:
  InterpreterProcess(sys::Pidfd process, sys::UniqueFd output);

  sys::Pidfd process_;
  sys::UniqueFd output_;
};

}  // namespace supervisor::catalog
