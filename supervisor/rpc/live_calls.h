// Counts the calls that exist, so that a server can wait for the last before
// it takes down the queue on which they are completed. Owned by the server;
// thread-safe.
#pragma once

#include <condition_variable>
#include <mutex>

namespace supervisor::rpc {

class LiveCalls {
 public:
  /// Counts as one call for as long as it lives.
  class One {
   public:
    explicit One(LiveCalls& all) : all_(all) { all_.change(1); }
    One(const One&) = delete;
    One& operator=(const One&) = delete;
    ~One() { all_.change(-1); }

   private:
    LiveCalls& all_;
  };

  void wait_until_none() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  void change(int by) {
    const std::lock_guard lock(mutex_);
    count_ += by;
    // Under the lock: whoever waits may destroy this once it has it.
    if (count_ == 0) none_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable none_;
  int count_ = 0;
};

}  // namespace supervisor::rpc
