#include "worker_shim/native/outbox.h"

#include <algorithm>

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
  for (const auto& frame : sending_.frames()) count(frame, -1);
  const bool last = draining_ && queued_.empty();
  writing_ = true;
  ++in_write_;
  lock.unlock();
  write_(sending_, last);
  lock.lock();
  if (--in_write_ == 0 && held_) drained_.notify_all();
}

void Outbox::flush_here() {
  std::unique_lock lock(mutex_);
  if (may_write()) begin_write(lock);
}

void Outbox::flush_soon() {
  const std::lock_guard lock(mutex_);
  if (may_write()) wanted_.notify_one();
}

void Outbox::written(bool ok) {
  std::unique_lock lock(mutex_);
  if (!ok) {
    // The stream is broken: what was under way stays in sending_ for resume().
    held_ = true;
    return;
  }
  writing_ = false;
  if (queued_.empty()) {
    drained_.notify_all();
  } else if (!held_) {
    begin_write(lock);
  }
}

void Outbox::hold() {
  std::unique_lock lock(mutex_);
  held_ = true;
  drained_.wait(lock, [this] { return in_write_ == 0; });
}

void Outbox::resume(v1::WorkerBatch first) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    if (writing_) {
      for (const auto& frame : sending_.frames()) count(frame, 1);
      queued_.push_front(std::move(sending_));
      writing_ = false;
    }
    // A Hello that another stream did not take: there is one, in `first`.
    for (auto& batch : queued_) {
      auto& frames = *batch.mutable_frames();
      frames.erase(std::remove_if(frames.begin(), frames.end(),
                                  [](const auto& frame) { return frame.has_hello(); }),
                   frames.end());
    }
    std::erase_if(queued_, [](const auto& batch) { return batch.frames().empty(); });
    queued_.push_front(std::move(first));
    // Nothing may be added to the batch that begins the stream.
    last_batch_bytes_ = batch_bytes;
    held_ = false;
  }
  flush_here();
}

void Outbox::count(const v1::WorkerFrame& frame, int sign) {
  const auto add = [sign](std::size_t& total, std::size_t what) {
    total = sign > 0 ? total + what : total - what;
  };
  if (frame.has_log()) add(log_lines_, static_cast<std::size_t>(frame.log().lines_size()));
  if (frame.has_event()) add(event_bytes_, frame.event().payload_json().size());
}

void Outbox::write_until_closed() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return closed_ || may_write(); });
    if (closed_) return;
    begin_write(lock);
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
