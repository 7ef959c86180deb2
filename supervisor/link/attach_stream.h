// One Attach stream: from a connection that says Hello to its end.
//
// Owned by gRPC (it releases itself in OnDone) and, while attached, by its
// link. Reactions run on gRPC threads; send() and end() on any thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "plugin_supervisor/v1/worker_link.grpc.pb.h"
#include "supervisor/link/deadline_sweep.h"

namespace supervisor::link {

namespace v1 = plugin_supervisor::v1;

class LaunchRegister;
class StreamLink;

class AttachStream final : public grpc::ServerBidiReactor<v1::WorkerBatch, v1::SupervisorBatch>,
                           public Expiring,
                           public std::enable_shared_from_this<AttachStream> {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds hello_deadline{5};
  /// For the write under way when the stream is ended.
  static constexpr std::chrono::milliseconds end_deadline{200};
  static constexpr std::size_t max_queued_frames = 1u << 16;

  /// gRPC gets a raw pointer; this keeps the object alive until OnDone.
  static AttachStream* begin(std::shared_ptr<LaunchRegister> launches,
                             grpc::CallbackServerContext* context);

  /// Queues `frame`. False when the worker has not read for so long that the
  /// queue is full.
  bool send(v1::SupervisorFrame&& frame);

  /// Queues without writing; flush() follows.
  bool queue(v1::SupervisorFrame&& frame);
  void flush();

  /// Ends the stream with `status`, at once: queued frames are dropped.
  void end(const grpc::Status& status);

  bool expire(Clock::time_point now) override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  AttachStream(std::shared_ptr<LaunchRegister> launches, grpc::CallbackServerContext* context);
  void meet_other_reads();
  bool hear();
  grpc::Status hear_hello();
  void lose();

  // Set while constructed or on the reading side, which is one at a time.
  const std::shared_ptr<LaunchRegister> launches_;
  const Clock::time_point hello_due_;
  std::shared_ptr<StreamLink> link_;
  v1::WorkerBatch heard_;

  std::mutex mutex_;
  std::shared_ptr<AttachStream> self_;
  grpc::CallbackServerContext* context_;  // Null once done.
  std::deque<v1::SupervisorBatch> queued_;
  std::size_t queued_frames_ = 0;
  std::size_t last_batch_bytes_ = 0;
  v1::SupervisorBatch sending_;
  bool identified_ = false;
  bool writing_ = false;
  bool finished_ = false;
  std::optional<grpc::Status> ending_;
  Clock::time_point end_due_;
};

}  // namespace supervisor::link
