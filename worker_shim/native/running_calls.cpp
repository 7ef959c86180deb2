#include "worker_shim/native/running_calls.h"

#include <utility>

namespace plugin_worker {

void RunningCalls::begin(std::uint64_t id, unsigned long thread, bool on_main) {
  const std::lock_guard lock(mutex_);
  calls_[id].target = {thread, on_main};
}

bool RunningCalls::end(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end()) return false;
  const bool on_its_way = found->second.interrupted && !found->second.target.on_main;
  calls_.erase(found);
  ended_.notify_all();
  return on_its_way;
}

bool RunningCalls::cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end()) return false;
  found->second.cancelled = true;
  return true;
}

std::vector<std::uint64_t> RunningCalls::cancel_all() {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> ids;
  for (auto& [id, call] : calls_) {
    if (!std::exchange(call.cancelled, true)) ids.push_back(id);
  }
  return ids;
}

bool RunningCalls::is_running(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  return calls_.contains(id);
}

bool RunningCalls::is_cancelled(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  return found != calls_.end() && found->second.cancelled;
}

bool RunningCalls::outlasts(std::uint64_t id, std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  return !ended_.wait_for(lock, grace, [&] { return !calls_.contains(id); });
}

std::optional<RunningCalls::Target> RunningCalls::interrupt(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(id);
  if (found == calls_.end()) return std::nullopt;
  found->second.interrupted = true;
  return found->second.target;
}

bool RunningCalls::take_main_interrupt() {
  const std::lock_guard lock(mutex_);
  for (auto& [id, call] : calls_) {
    if (!call.target.on_main || !call.interrupted || call.delivered) continue;
    call.delivered = true;
    return true;
  }
  return false;
}

}  // namespace plugin_worker
