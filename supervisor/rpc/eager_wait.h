// Waits for the next completion of a queue: first awake for a moment, then
// asleep. Being woken costs more than a short action takes, so a thread whose
// next event usually comes at once had better not go to sleep. When staying
// awake was in vain, it is tried less and less often.
//
// Owned by the one thread that waits.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace supervisor::rpc {

class EagerWait {
 public:
  /// How long one wait stays awake at most.
  static constexpr std::chrono::microseconds awake{50};
  /// Waits that go to sleep at once between two that do not, at most.
  static constexpr unsigned max_asleep = 256;

  explicit EagerWait(grpc::CompletionQueue& queue) : queue_(queue) {}

  /// As CompletionQueue::Next.
  bool next(void** tag, bool* ok) {
    if (!may_stay_awake_) return queue_.Next(tag, ok);
    if (asleep_left_ > 0) {
      --asleep_left_;
      return queue_.Next(tag, ok);
    }
    const auto until = std::chrono::steady_clock::now() + awake;
    do {
      switch (queue_.AsyncNext(tag, ok, gpr_time_0(GPR_CLOCK_MONOTONIC))) {
        case grpc::CompletionQueue::GOT_EVENT:
          asleep_after_ = 0;
          return true;
        case grpc::CompletionQueue::SHUTDOWN:
          return false;
        case grpc::CompletionQueue::TIMEOUT:
          break;
      }
    } while (std::chrono::steady_clock::now() < until);
    asleep_after_ = std::min(asleep_after_ * 2 + 1, max_asleep);
    asleep_left_ = asleep_after_;
    return queue_.Next(tag, ok);
  }

 private:
  grpc::CompletionQueue& queue_;
  // On a lone processor whoever is waited for could not run meanwhile.
  const bool may_stay_awake_ = std::thread::hardware_concurrency() > 1;
  unsigned asleep_after_ = 0;  // How many waits, after one in vain.
  unsigned asleep_left_ = 0;
};

}  // namespace supervisor::rpc
