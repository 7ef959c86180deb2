#include "supervisor/link/attach_stream.h"

#include "supervisor/link/launch_register.h"
#include "supervisor/link/stream_link.h"

namespace supervisor::link {
namespace {

// A batch is closed at this size, so that the first of many frames is not kept
// waiting for the serialisation of all of them.
constexpr std::size_t batch_bytes = 256u << 10;

}  // namespace

void AttachStream::await(v1::WorkerLink::AsyncService& service, grpc::ServerCompletionQueue& queue,
                         const std::shared_ptr<LaunchRegister>& launches, rpc::LiveCalls& live) {
  const std::shared_ptr<AttachStream> stream(new AttachStream(service, queue, launches, live));
  service.RequestAttach(&stream->context_, &stream->stream_, &queue, &queue,
                        stream->opening_.begin());
}

AttachStream::AttachStream(v1::WorkerLink::AsyncService& service,
                           grpc::ServerCompletionQueue& queue,
                           std::shared_ptr<LaunchRegister> launches, rpc::LiveCalls& live)
    : live_(live), service_(service), queue_(queue), launches_(std::move(launches)) {}

void AttachStream::opened(bool ok) {
  if (!ok) return;  // The server ends.
  await(service_, queue_, launches_, live_);
  {
    const std::lock_guard lock(mutex_);
    hello_due_ = Clock::now() + hello_deadline;
  }
  launches_->sweep().watch(weak_from_this());
  launches_->sweep().wake();
  stream_.Read(&heard_, reading_.begin());
}

bool AttachStream::queue(v1::SupervisorFrame&& frame) {
  const std::size_t bytes = frame.ByteSizeLong();
  const std::lock_guard lock(mutex_);
  if (ending_) return true;  // Whoever lost the stream is told by the link.
  if (queued_frames_ >= max_queued_frames) return false;
  if (queued_.empty() || last_batch_bytes_ + bytes > batch_bytes) {
    queued_.emplace_back();
    last_batch_bytes_ = 0;
  }
  last_batch_bytes_ += bytes;
  ++queued_frames_;
  *queued_.back().add_frames() = std::move(frame);
  return true;
}

void AttachStream::flush() {
  {
    const std::lock_guard lock(mutex_);
    if (is_writing_ || ending_ || queued_.empty()) return;
    is_writing_ = true;
    sending_ = std::move(queued_.front());
    queued_.pop_front();
    queued_frames_ -= static_cast<std::size_t>(sending_.frames_size());
  }
  // Outside the lock: gRPC may do the whole write in here. Nobody else starts
  // one, and nobody finishes the stream, while is_writing_ is set.
  stream_.Write(sending_, writing_.begin());
}

bool AttachStream::send(v1::SupervisorFrame&& frame) {
  if (!queue(std::move(frame))) return false;
  flush();
  return true;
}

void AttachStream::written(bool ok) {
  bool finish_now = false;
  {
    const std::lock_guard lock(mutex_);
    is_writing_ = false;
    if (!ok && !ending_) ending_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "write failed");
    finish_now = ending_ && !is_finished_;
    is_finished_ = is_finished_ || finish_now;
  }
  if (finish_now) {
    stream_.Finish(*ending_, finishing_.begin());
  } else {
    flush();
  }
}

void AttachStream::end(const grpc::Status& status) {
  bool finish_now = false;
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return;
    ending_ = status;
    queued_.clear();
    queued_frames_ = 0;
    finish_now = !is_writing_;
    is_finished_ = finish_now;
    end_due_ = Clock::now() + end_deadline;
  }
  if (finish_now) {
    stream_.Finish(status, finishing_.begin());
  } else {
    // written() finishes. A worker that does not read would hold the write for
    // ever: expire() sees to that.
    launches_->sweep().wake();
  }
}

bool AttachStream::expire(Clock::time_point now) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) {
      if (is_finished_) return false;
      if (now >= end_due_) context_.TryCancel();
      return now < end_due_;
    }
    if (has_spoken_) return false;
    if (now < hello_due_) return true;
  }
  end({grpc::StatusCode::UNAUTHENTICATED, "no Hello came in time"});
  return false;
}

void AttachStream::read(bool ok) {
  if (!ok) {
    lose();
    end(grpc::Status::OK);
  } else if (hear()) {
    stream_.Read(&heard_, reading_.begin());
  } else {
    lose();
  }
}

bool AttachStream::hear() {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return false;
    has_spoken_ = true;
  }
  if (!link_) {
    auto admitted = launches_->admit(heard_, shared_from_this());
    if (!admitted.link) {
      end({grpc::StatusCode::UNAUTHENTICATED, admitted.refusal});
      return false;
    }
    link_ = std::move(admitted.link);
    heard_.mutable_frames()->DeleteSubrange(0, 1);
  }
  if (!link_->receive(heard_)) {
    end({grpc::StatusCode::INVALID_ARGUMENT, "the worker broke the protocol"});
    return false;
  }
  return true;
}

void AttachStream::lose() {
  if (link_) link_->detach(this);
}

void AttachStream::finished(bool) {}

}  // namespace supervisor::link
