#include "supervisor/link/attach_stream.h"

#include "supervisor/link/launch_register.h"
#include "supervisor/link/stream_link.h"

namespace supervisor::link {
namespace {

// A batch is closed at this size, so that the first of many frames is not kept
// waiting for the serialisation of all of them.
constexpr std::size_t batch_bytes = 256u << 10;

}  // namespace

AttachStream* AttachStream::begin(std::shared_ptr<LaunchRegister> launches,
                                  grpc::CallbackServerContext* context) {
  const std::shared_ptr<AttachStream> stream(new AttachStream(std::move(launches), context));
  {
    const std::lock_guard lock(stream->mutex_);
    stream->self_ = stream;
  }
  stream->launches_->sweep().watch(stream);
  stream->launches_->sweep().wake();
  stream->StartRead(&stream->heard_);
  return stream.get();
}

AttachStream::AttachStream(std::shared_ptr<LaunchRegister> launches,
                           grpc::CallbackServerContext* context)
    : launches_(std::move(launches)),
      hello_due_(Clock::now() + hello_deadline),
      context_(context) {}

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
    if (writing_ || ending_ || queued_.empty()) return;
    writing_ = true;
    sending_ = std::move(queued_.front());
    queued_.pop_front();
    queued_frames_ -= static_cast<std::size_t>(sending_.frames_size());
  }
  // Outside the lock: gRPC may do the whole write in here. Nobody else starts
  // one, and nobody finishes the stream, while writing_ is set.
  StartWrite(&sending_);
}

bool AttachStream::send(v1::SupervisorFrame&& frame) {
  if (!queue(std::move(frame))) return false;
  flush();
  return true;
}

void AttachStream::OnWriteDone(bool ok) {
  bool finish_now = false;
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok && !ending_) ending_ = grpc::Status(grpc::StatusCode::UNAVAILABLE, "write failed");
    finish_now = ending_ && !finished_;
    finished_ = finished_ || finish_now;
  }
  if (finish_now) {
    Finish(*ending_);
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
    finish_now = !writing_;
    finished_ = finish_now;
    end_due_ = Clock::now() + end_deadline;
  }
  if (finish_now) {
    Finish(status);
  } else {
    // OnWriteDone finishes. A worker that does not read would hold the write
    // for ever: expire() sees to that.
    launches_->sweep().wake();
  }
}

bool AttachStream::expire(Clock::time_point now) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) {
      if (finished_) return false;
      if (now >= end_due_ && context_ != nullptr) context_->TryCancel();
      return now < end_due_;
    }
    if (identified_) return false;
  }
  if (now < hello_due_) return true;
  end({grpc::StatusCode::UNAUTHENTICATED, "no Hello came in time"});
  return false;
}

void AttachStream::OnReadDone(bool ok) {
  meet_other_reads();
  if (!ok) {
    lose();
    end(grpc::Status::OK);
  } else if (hear()) {
    meet_other_reads();
    StartRead(&heard_);
  } else {
    lose();
  }
  // Nothing after this: the stream may be gone.
}

void AttachStream::meet_other_reads() {
  // Reads come one after the other, but on several threads. What orders them
  // for this program, and for its sanitizer, is this lock, not gRPC's insides.
  const std::lock_guard lock(mutex_);
}

bool AttachStream::hear() {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return false;
  }
  if (!link_) {
    const auto verdict = hear_hello();
    if (!verdict.ok()) {
      end(verdict);
      return false;
    }
    heard_.mutable_frames()->DeleteSubrange(0, 1);
  }
  if (!link_->receive(heard_)) {
    end({grpc::StatusCode::INVALID_ARGUMENT, "the worker broke the protocol"});
    return false;
  }
  return true;
}

grpc::Status AttachStream::hear_hello() {
  if (heard_.frames_size() == 0 || !heard_.frames(0).has_hello()) {
    return {grpc::StatusCode::UNAUTHENTICATED, "the first frame must be a Hello"};
  }
  const auto& hello = heard_.frames(0).hello();
  if (hello.protocol_version() != 1) {
    return {grpc::StatusCode::UNAUTHENTICATED, "protocol version 1 is required"};
  }
  auto link = launches_->find(hello);
  if (!link) {
    return {grpc::StatusCode::UNAUTHENTICATED, "no launch waits for this worker and token"};
  }
  {
    const std::lock_guard lock(mutex_);
    identified_ = true;
  }
  link_ = link;
  if (const auto refusal = link->attach(shared_from_this(), hello); !refusal.empty()) {
    link_.reset();
    return {grpc::StatusCode::UNAUTHENTICATED, refusal};
  }
  return grpc::Status::OK;
}

void AttachStream::lose() {
  if (link_) link_->detach(this);
}

void AttachStream::OnCancel() { end({grpc::StatusCode::CANCELLED, "cancelled"}); }

void AttachStream::OnDone() {
  std::shared_ptr<AttachStream> last;
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  last = std::move(self_);
  // `last` is declared before the lock, so the mutex outlives its unlocking.
}

}  // namespace supervisor::link
