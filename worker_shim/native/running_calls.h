// The calls that run plugin code at the moment, and which of them were
// cancelled. Owned by the Worker; thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace plugin_worker {

class RunningCalls {
 public:
  /// A call begins on the Python thread `thread`.
  void begin(std::uint64_t id, unsigned long thread, bool on_main);

  /// It has ended. True when an exception may still be on its way to the
  /// thread, which must not hit what runs there next.
  bool end(std::uint64_t id);

  /// Marks it cancelled. False when it does not run.
  bool cancel(std::uint64_t id);
  /// Marks all that run cancelled; returns those that were not yet.
  std::vector<std::uint64_t> cancel_all();
  [[nodiscard]] bool is_running(std::uint64_t id) const;
  [[nodiscard]] bool is_cancelled(std::uint64_t id) const;

  /// Waits for its end, for `grace` at most. True when it still runs.
  bool outlasts(std::uint64_t id, std::chrono::milliseconds grace);

  struct Target {
    unsigned long thread;
    bool on_main;
  };
  /// Where to interrupt it; nothing when it has ended. Call with the GIL held:
  /// the call cannot end as long as it is.
  std::optional<Target> interrupt(std::uint64_t id);

  /// True once per interruption of the call on the main thread.
  bool take_main_interrupt();

 private:
  struct Running {
    Target target;
    bool cancelled = false;
    bool interrupted = false;
    bool delivered = false;
  };
  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::map<std::uint64_t, Running> calls_;
};

}  // namespace plugin_worker
