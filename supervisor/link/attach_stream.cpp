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
                         const std::shared_ptr<LaunchRegister>& launches, rpc::LiveCalls& live,
                         const Limits& limits) {
  const std::shared_ptr<AttachStream> stream(
      new AttachStream(service, queue, launches, live, limits));
  service.RequestAttach(&stream->context_, &stream->stream_, &queue, &queue,
                        stream->opening_.begin());
}

AttachStream::AttachStream(v1::WorkerLink::AsyncService& service,
                           grpc::ServerCompletionQueue& queue,
                           std::shared_ptr<LaunchRegister> launches, rpc::LiveCalls& live,
                           const Limits& limits)
    : live_(live),
      service_(service),
      queue_(queue),
      launches_(std::move(launches)),
      limits_(limits) {}

void AttachStream::opened(bool ok) {
  if (!ok) return;  // The server ends.
  await(service_, queue_, launches_, live_, limits_);
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
    read_on();
  } else {
    lose();
  }
}

// At once, or when what has been said is paid for: until then gRPC takes no more
// than its window, and the worker waits.
void AttachStream::read_on() {
  const auto now = Clock::now();
  const auto wait = budget_.spend(heard_cost_, heard_bytes_, now);
  if (wait <= Clock::duration::zero()) {
    stream_.Read(&heard_, reading_.begin());
  } else {
    alarm_.Set(&queue_,
               std::chrono::system_clock::now() +
                   std::chrono::duration_cast<std::chrono::system_clock::duration>(wait),
               waiting_.begin());
  }
}

void AttachStream::waited(bool) {
  bool is_over = false;
  {
    const std::lock_guard lock(mutex_);
    is_over = ending_.has_value();
  }
  if (is_over) {
    lose();
  } else {
    stream_.Read(&heard_, reading_.begin());
  }
}

std::string AttachStream::too_much() const {
  if (heard_bytes_ > limits_.message_bytes)
    return "it sent a message of " + std::to_string(heard_bytes_) + " bytes; at most " +
           std::to_string(limits_.message_bytes) + " are allowed";
  if (static_cast<std::size_t>(heard_.frames_size()) > limits_.batch_frames)
    return "it sent a message of " + std::to_string(heard_.frames_size()) + " frames; at most " +
           std::to_string(limits_.batch_frames) + " are allowed";
  return {};
}

bool AttachStream::hear() {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return false;
    has_spoken_ = true;
  }
  heard_bytes_ = heard_.ByteSizeLong();
  heard_cost_ = cost_of(heard_);
  if (const auto why = too_much(); !why.empty()) {
    if (link_) link_->cut(why);
    end({grpc::StatusCode::RESOURCE_EXHAUSTED, why});
    return false;
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
    const auto why = link_->broken_because();
    link_->cut(why);
    end({grpc::StatusCode::INVALID_ARGUMENT, "the worker broke the protocol: " + why});
    return false;
  }
  return true;
}

void AttachStream::lose() {
  if (link_) link_->detach(this);
}

void AttachStream::finished(bool) {}

}  // namespace supervisor::link
