// The server's end of a stream of messages to one reader: a bounded queue, and
// the reader who falls behind is told so and let go.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "supervisor/sys/failure.h"

namespace supervisor::services {

template <typename Message>
class LineStream : public grpc::ServerWriteReactor<Message> {
 public:
  explicit LineStream(std::size_t max_queued) : max_queued_(max_queued) {}

  /// Called once when the stream is over, before this object goes away: stop
  /// whatever pushes. Set before the first push from another thread.
  std::function<void()> on_over;

  void push(Message message) {
    const std::lock_guard lock(mutex_);
    if (finishing_) return;
    if (queue_.size() >= max_queued_) {
      finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the reader is too slow; begin again"});
      return;
    }
    queue_.push_back(std::move(message));
    if (!writing_) write_next();
  }

  /// Ends the stream once what is queued has been written.
  void end() {
    const std::lock_guard lock(mutex_);
    if (finishing_) return;
    ending_ = true;
    if (!writing_ && queue_.empty()) finish(grpc::Status::OK);
  }

 private:
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (finish_after_write_) {
      this->Finish(status_);
    } else if (!ok) {
      finish(grpc::Status::CANCELLED);
    } else if (!queue_.empty()) {
      write_next();
    } else if (ending_) {
      finish(grpc::Status::OK);
    }
  }

  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    if (!finishing_) finish(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    if (on_over) on_over();
    delete this;
  }

  void write_next() {
    writing_ = true;
    this->StartWrite(&queue_.front());
  }

  // A message under way must come home before the stream may finish.
  void finish(grpc::Status status) {
    finishing_ = true;
    if (writing_) {
      finish_after_write_ = true;
      status_ = std::move(status);
    } else {
      this->Finish(std::move(status));
    }
  }

  const std::size_t max_queued_;
  std::mutex mutex_;
  std::deque<Message> queue_;
  bool writing_ = false;
  bool ending_ = false;
  bool finishing_ = false;
  bool finish_after_write_ = false;
  grpc::Status status_;
};

}  // namespace supervisor::services
