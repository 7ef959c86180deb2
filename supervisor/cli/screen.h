// A terminal that is taken over for a live view: the alternate screen, keys
// that are read as they are pressed, and the signals that end, suspend or
// resize it, read in one place. Owned by the verb; one thread.
#pragma once

#include <termios.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string_view>

#include "supervisor/cli/terminal.h"
#include "supervisor/cli/top_view.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::cli {

/// Blocks the terminal's signals, for this thread and those it starts, so it
/// must be made before the first channel of gRPC.
class TerminalSignals {
 public:
  TerminalSignals();
  ~TerminalSignals();
  TerminalSignals(const TerminalSignals&) = delete;
  TerminalSignals& operator=(const TerminalSignals&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The next that has come; 0 when there is none.
  [[nodiscard]] int take() const;

 private:
  sigset_t before_{};
  sys::UniqueFd fd_;
};

class Screen {
 public:
  enum class Event {
    elapsed,  // The time is over.
    ready,    // The descriptor can be read.
    key,
    resized,  // Or shown again after it was suspended: to be painted anew.
    ended,    // By a signal or because the terminal is gone.
  };
  struct Happening {
    Event event;
    char key = 0;
  };

  Screen(Terminal& terminal, TerminalSignals& signals);
  /// Gives the terminal back as it was.
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] TopSize size() const;
  /// Replaces what is shown; false when the terminal is gone.
  bool paint(std::string_view lines);
  /// Whatever comes first; `fd` may be -1.
  Happening wait(int fd, std::chrono::steady_clock::time_point until);

 private:
  void enter();
  void leave();
  std::optional<Happening> on_signal();
  std::optional<Happening> on_input();

  Terminal& terminal_;
  TerminalSignals& signals_;
  termios before_{};  // Of stdin, where keys are read.
  const bool reads_keys_;
};

}  // namespace supervisor::cli
