// How many calls have come and are not answered yet: waiting, running, or
// about to be put into the outbox.
//
// Owned by the Worker; thread-safe. Costs a call two atomic operations.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace plugin_worker {

class OpenCalls {
 public:
  using Clock = std::chrono::steady_clock;

  void begin() { ++count_; }
  void end() {
    if (--count_ > 0 || waiting_ == 0) return;
    const std::lock_guard lock(mutex_);
    none_.notify_all();
  }
  [[nodiscard]] std::uint32_t count() const { return count_; }

  /// True when there is none, or none any more before `deadline`.
  bool none_by(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    const bool none = none_.wait_until(lock, deadline, [this] { return count_ == 0; });
    --waiting_;
    return none;
  }

 private:
  std::atomic<std::uint32_t> count_ = 0;
  std::atomic<int> waiting_ = 0;
  std::mutex mutex_;
  std::condition_variable none_;
};

}  // namespace plugin_worker
