#include "worker_shim/native/interpreter_probe.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace plugin_worker {

void InterpreterProbe::ping(std::uint64_t nonce) {
  {
    const std::lock_guard lock(mutex_);
    if (!has_thread_) has_thread_ = means_.start_thread([this] { look(); });
    if (has_thread_ && !looking_) {
      looking_ = true;
      nonce_ = nonce;
      since_ = Clock::now();
      wanted_.notify_one();
      return;
    }
    answer(nonce, looking_ ? Clock::now() - since_ : Clock::duration(0), looking_);
  }
  outbox_.flush_soon();
}

void InterpreterProbe::look() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return looking_; });
    // Not the time that this thread took to wake up.
    since_ = Clock::now();
    lock.unlock();
    means_.visit();
    lock.lock();
    looking_ = false;
    // Put under the lock: an answer that says "waits" never follows this one.
    answer(nonce_, Clock::now() - since_, false);
    lock.unlock();
    outbox_.flush_here();
    lock.lock();
  }
}

void InterpreterProbe::answer(std::uint64_t nonce, Clock::duration wait, bool waits) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(wait).count();
  v1::WorkerFrame frame;
  auto& pong = *frame.mutable_pong();
  pong.set_nonce(nonce);
  pong.set_interpreter_wait_us(static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(us, 0, std::numeric_limits<std::uint32_t>::max())));
  pong.set_interpreter_waits(waits);
  pong.set_calls(means_.calls());
  outbox_.put(std::move(frame));
}

}  // namespace plugin_worker
