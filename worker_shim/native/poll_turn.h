// Whose turn it is to poll the link. Between calls that follow each other
// closely the main thread polls itself, so that a call reaches it without
// being handed over by another thread. When it is busy for longer, or has
// nothing to do for longer, the reading thread polls.
//
// Owned by the Worker. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace plugin_worker {

class PollTurn {
 public:
  using Clock = std::chrono::steady_clock;
  /// How long the main thread may work before the reading thread polls.
  static constexpr std::chrono::microseconds patience{1000};

  // --- The main thread ---

  /// True when nobody polls: now the main thread does.
  bool take_for_main();
  /// It goes to work, and may be back soon.
  void pause_for_work();
  /// It will not be back soon.
  void hand_to_reader();

  // --- Any thread ---

  /// If nobody polls, the reading thread does so at once.
  void call_reader();

  // --- The reading thread, which has the turn at first ---

  /// Returns when it is the reading thread's turn.
  void wait_for_reader();
  /// The main thread was given work and may be back soon.
  void resign_to_main() { pause_for_work(); }

 private:
  enum class Who { nobody, main, reader };

  std::mutex mutex_;
  std::condition_variable changed_;
  Who who_ = Who::reader;
  Clock::time_point nobody_since_;
};

}  // namespace plugin_worker
