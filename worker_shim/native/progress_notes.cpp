#include "worker_shim/native/progress_notes.h"

#include <algorithm>

namespace plugin_worker {

void ProgressNotes::put(std::uint64_t call_id, Note& note, Clock::time_point now) {
  v1::WorkerFrame frame;
  auto& progress = *frame.mutable_progress();
  progress.set_call_id(call_id);
  progress.set_fraction(note.fraction);
  progress.set_message(std::move(note.message));
  note.message.clear();
  note.sent = now;
  note.is_kept = false;
  outbox_.put(std::move(frame));
}

void ProgressNotes::tell(std::uint64_t call_id, double fraction, std::string message) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    is_used_ = true;
    const auto [found, is_new] = notes_.try_emplace(call_id);
    auto& note = found->second;
    note.fraction = fraction;
    note.message = std::move(message);
    if (!is_new && now - note.sent < pace) {
      if (!std::exchange(note.is_kept, true)) kept_.notify_one();
      // Without a thread it leaves with the next, or with the end of the call.
      if (!has_thread_) has_thread_ = start_thread_([this] { send_kept(); });
      return;
    }
    put(call_id, note, now);
  }
  outbox_.flush_soon();
}

void ProgressNotes::end(std::uint64_t call_id) {
  if (!is_used_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  const auto found = notes_.find(call_id);
  if (found == notes_.end()) return;
  if (found->second.is_kept) put(call_id, found->second, Clock::now());
  notes_.erase(found);
}

void ProgressNotes::send_kept() {
  std::unique_lock lock(mutex_);
  for (;;) {
    auto next = Clock::time_point::max();
    bool any_put = false;
    const auto now = Clock::now();
    for (auto& [call_id, note] : notes_) {
      if (!note.is_kept) continue;
      if (note.sent + pace <= now) {
        put(call_id, note, now);
        any_put = true;
      } else {
        next = std::min(next, note.sent + pace);
      }
    }
    if (any_put) outbox_.flush_soon();
    if (next == Clock::time_point::max()) {
      kept_.wait(lock);
    } else {
      kept_.wait_until(lock, next);
    }
  }
}

}  // namespace plugin_worker
