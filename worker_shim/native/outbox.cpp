#include "worker_shim/native/outbox.h"

namespace plugin_worker {
namespace {

// A batch is closed at this size; the supervisor's limit is far above it, and
// a single larger frame still travels alone.
constexpr std::size_t batch_bytes = 256u << 10;

}  // namespace

void Outbox::append(v1::WorkerFrame&& frame) {
  const std::size_t bytes = frame.ByteSizeLong();
  if (queued_.empty() || last_batch_bytes_ + bytes > batch_bytes) {
    queued_.emplace_back();
    last_batch_bytes_ = 0;
  }
  last_batch_bytes_ += bytes;
  *queued_.back().add_frames() = std::move(frame);
}

void Outbox::put(v1::WorkerFrame&& frame) {
  const std::lock_guard lock(mutex_);
  if (!closed_) append(std::move(frame));
}

void Outbox::put_log(v1::LogLine&& line) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  if (log_lines_ >= max_log_lines) {
    ++dropped_lines_;
    return;
  }
  ++log_lines_;
  if (!queued_.empty() && last_batch_bytes_ < batch_bytes) {
    auto& frames = *queued_.back().mutable_frames();
    if (!frames.empty() && frames[frames.size() - 1].has_log()) {
      last_batch_bytes_ += line.ByteSizeLong();
      *frames[frames.size() - 1].mutable_log()->add_lines() = std::move(line);
      return;
    }
  }
  v1::WorkerFrame frame;
  auto& log = *frame.mutable_log();
  log.set_dropped(std::exchange(dropped_lines_, 0));
  *log.add_lines() = std::move(line);
  append(std::move(frame));
}

bool Outbox::put_event(v1::EmittedEvent&& event) {
  const std::lock_guard lock(mutex_);
  if (closed_) return true;
  if (event_bytes_ >= max_event_bytes) return false;
  event_bytes_ += event.payload_json().size();
  v1::WorkerFrame frame;
  *frame.mutable_event() = std::move(event);
  append(std::move(frame));
  return true;
}

void Outbox::begin_write(std::unique_lock<std::mutex>& lock) {
  sending_ = std::move(queued_.front());
  queued_.pop_front();
  for (const auto& frame : sending_.frames()) {
    if (frame.has_log()) log_lines_ -= static_cast<std::size_t>(frame.log().lines_size());
    if (frame.has_event()) event_bytes_ -= frame.event().payload_json().size();
  }
  const bool last = draining_ && queued_.empty();
  writing_ = true;
  lock.unlock();
  write_(sending_, last);
}

void Outbox::flush_here() {
  std::unique_lock lock(mutex_);
  if (!writing_ && !queued_.empty()) begin_write(lock);
}

void Outbox::flush_soon() {
  const std::lock_guard lock(mutex_);
  if (!writing_ && !queued_.empty()) wanted_.notify_one();
}

void Outbox::written(bool ok) {
  std::unique_lock lock(mutex_);
  writing_ = false;
  if (!ok) {
    closed_ = true;
    queued_.clear();
    wanted_.notify_all();
  }
  if (queued_.empty()) {
    drained_.notify_all();
  } else {
    begin_write(lock);
  }
}

void Outbox::write_until_closed() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return closed_ || (!writing_ && !queued_.empty()); });
    if (closed_) return;
    begin_write(lock);
    lock.lock();
  }
}

void Outbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  queued_.clear();
  wanted_.notify_all();
  drained_.notify_all();
}

bool Outbox::drain(std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  wanted_.notify_one();
  return drained_.wait_for(lock, deadline,
                           [this] { return closed_ || (queued_.empty() && !writing_); });
}

}  // namespace plugin_worker
