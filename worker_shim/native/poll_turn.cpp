#include "worker_shim/native/poll_turn.h"

namespace plugin_worker {

bool PollTurn::take_for_main() {
  const std::lock_guard lock(mutex_);
  if (who_ != Who::nobody) return false;
  who_ = Who::main;
  return true;
}

void PollTurn::pause_for_work() {
  const std::lock_guard lock(mutex_);
  who_ = Who::nobody;
  nobody_since_ = Clock::now();
}

void PollTurn::hand_to_reader() {
  const std::lock_guard lock(mutex_);
  if (who_ == Who::reader) return;
  who_ = Who::reader;
  changed_.notify_one();
}

void PollTurn::call_reader() {
  const std::lock_guard lock(mutex_);
  if (who_ != Who::nobody) return;
  who_ = Who::reader;
  changed_.notify_one();
}

void PollTurn::wait_for_reader() {
  std::unique_lock lock(mutex_);
  while (who_ != Who::reader) {
    // The main thread takes and leaves its turn without waking this one: a
    // look now and then is cheaper than a wake-up per call.
    const auto now = Clock::now();
    if (who_ == Who::nobody && now - nobody_since_ >= patience) {
      who_ = Who::reader;
      return;
    }
    changed_.wait_until(lock, (who_ == Who::nobody ? nobody_since_ : now) + patience);
  }
}

}  // namespace plugin_worker
