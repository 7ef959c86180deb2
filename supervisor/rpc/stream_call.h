// One call that is answered with a stream of messages: a bounded queue, and
// the reader who falls behind is told so and let go.
//
// Owned by its operations under way and by whoever pushes. push(), end() and
// refuse() on any thread.
#pragma once

#include <deque>
#include <optional>

#include "supervisor/rpc/method.h"
#include "supervisor/rpc/operation.h"

namespace supervisor::rpc {

template <typename Request, typename Message>
class StreamCall final : public std::enable_shared_from_this<StreamCall<Request, Message>> {
 public:
  using Method = rpc::Method<StreamCall, Request, grpc::ServerAsyncWriter<Message>>;
  static constexpr std::size_t max_queued = 10000;
  static constexpr std::size_t max_queued_bytes = 64u << 20;

  /// Waits for a call; when it comes, waits for the next again, until the
  /// server ends.
  static void await(const std::shared_ptr<const Method>& method) {
    const std::shared_ptr<StreamCall> call(new StreamCall(method));
    call->context_.AsyncNotifyWhenDone(call->over_.begin());
    method->ask(&call->context_, &call->request_, &call->writer_, call->opening_.begin());
  }
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  [[nodiscard]] const Request& request() const { return request_; }

  void push(Message message) {
    const std::lock_guard lock(mutex_);
    if (finishing_with_ || ending_) return;
    // One is taken however large it is.
    if (queue_.size() >= max_queued || (queued_bytes_ >= max_queued_bytes && !queue_.empty())) {
      finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the reader is too slow; begin again"});
      return;
    }
    queued_bytes_ += message.ByteSizeLong();
    queue_.push_back(std::move(message));
    if (!is_writing_) write_next();
  }

  /// Ends the stream once what is queued has been written.
  void end() {
    const std::lock_guard lock(mutex_);
    if (finishing_with_ || ending_) return;
    ending_ = true;
    if (!is_writing_) finish(grpc::Status::OK);
  }

  /// Ends the stream with `status`, ahead of what is queued.
  void refuse(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    if (!finishing_with_) finish(status);
  }

  /// `react` is called once, when nobody reads any more or the stream has come
  /// to its end; at once if that has happened. To stop whatever pushes.
  void when_over(std::function<void()> react) {
    {
      const std::lock_guard lock(mutex_);
      if (!is_over_) {
        when_over_ = std::move(react);
        return;
      }
    }
    react();
  }

 private:
  explicit StreamCall(std::shared_ptr<const Method> method) : method_(std::move(method)) {}

  void opened(bool ok) {
    if (!ok) {
      over_.forget();  // gRPC tells this of calls that came only.
      return;          // The server ends.
    }
    await(method_);
    method_->handle(this->shared_from_this());
  }

  void written(bool ok) {
    const std::lock_guard lock(mutex_);
    is_writing_ = false;
    queued_bytes_ -= queue_.front().ByteSizeLong();
    queue_.pop_front();
    if (finishing_with_) {
      writer_.Finish(*finishing_with_, finishing_.begin());
    } else if (!ok) {
      finish(grpc::Status::CANCELLED);
    } else if (!queue_.empty()) {
      write_next();
    } else if (ending_) {
      finish(grpc::Status::OK);
    }
  }

  void over(bool) {
    std::function<void()> react;
    {
      const std::lock_guard lock(mutex_);
      if (!finishing_with_) finish(grpc::Status::CANCELLED);
      is_over_ = true;
      react = std::exchange(when_over_, nullptr);
    }
    if (react) react();
  }

  void finished(bool) {}

  // The rest with the lock held.

  void write_next() {
    is_writing_ = true;
    writer_.Write(queue_.front(), writing_.begin());
  }

  // A message under way must come home before the stream may finish.
  void finish(const grpc::Status& status) {
    finishing_with_ = status;
    if (!is_writing_) writer_.Finish(status, finishing_.begin());
  }

  const std::shared_ptr<const Method> method_;
  const LiveCalls::One counted_{method_->live};
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncWriter<Message> writer_{&context_};
  Operation<StreamCall> opening_{*this, &StreamCall::opened};
  Operation<StreamCall> writing_{*this, &StreamCall::written};
  Operation<StreamCall> over_{*this, &StreamCall::over};
  Operation<StreamCall> finishing_{*this, &StreamCall::finished};
  std::mutex mutex_;
  std::deque<Message> queue_;
  std::size_t queued_bytes_ = 0;
  bool is_writing_ = false;
  bool ending_ = false;
  bool is_over_ = false;
  std::optional<grpc::Status> finishing_with_;
  std::function<void()> when_over_;
};

}  // namespace supervisor::rpc
