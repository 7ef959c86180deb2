#include "worker_shim/native/host_calls.h"

#include <utility>

namespace plugin_worker {

std::uint64_t HostCalls::open() {
  const std::lock_guard lock(mutex_);
  if (open_.size() >= max_open) return 0;
  open_.emplace(++last_id_, Open{});
  return last_id_;
}

HostCalls::Waited HostCalls::wait(std::uint64_t call_id, std::chrono::milliseconds patience,
                                  v1::HostAnswer& answer) {
  std::unique_lock lock(mutex_);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto found = open_.find(call_id);
    if (found == open_.end()) return Waited::lost;
    if (found->second.answer) {
      answer = std::move(*found->second.answer);
      open_.erase(found);
      return Waited::answered;
    }
    if (found->second.lost) {
      open_.erase(found);
      return Waited::lost;
    }
    if (changed_.wait_until(lock, deadline) == std::cv_status::timeout &&
        std::chrono::steady_clock::now() >= deadline) {
      const auto again = open_.find(call_id);
      if (again != open_.end() && !again->second.answer && !again->second.lost)
        return Waited::not_yet;
    }
  }
}

void HostCalls::forget(std::uint64_t call_id) {
  const std::lock_guard lock(mutex_);
  open_.erase(call_id);
}

void HostCalls::take(v1::HostAnswer&& answer) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(answer.call_id());
  if (found == open_.end()) return;
  found->second.answer = std::move(answer);
  changed_.notify_all();
}

void HostCalls::lose_all() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, call] : open_) call.lost = true;
  changed_.notify_all();
}

}  // namespace plugin_worker
