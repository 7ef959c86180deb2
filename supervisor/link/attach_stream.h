// One Attach stream: from the wait for a worker that opens it to its end.
//
// Owned by its operations under way and, while attached, by its link.
// Reactions run on a thread of the StreamServer; send() and end() on any
// thread.
//
// gRPC's callback API would take less code, but hands each event of a stream
// to one of several threads that wake each other; here one thread does what an
// answer brings from its arrival to the next call.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "plugin_supervisor/v1/worker_link.grpc.pb.h"
#include "supervisor/link/deadline_sweep.h"
#include "supervisor/link/frame_stream.h"
#include "supervisor/link/link_budget.h"
#include "supervisor/rpc/live_calls.h"
#include "supervisor/rpc/operation.h"

namespace supervisor::link {

class LaunchRegister;
class StreamLink;

class AttachStream final : public FrameStream,
                           public Expiring,
                           public std::enable_shared_from_this<AttachStream> {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds hello_deadline{5};
  /// For the write under way when the stream is ended.
  static constexpr std::chrono::milliseconds end_deadline{200};

  /// Of what a worker says.
  struct Limits {
    std::size_t message_bytes;
    std::size_t batch_frames;
    LinkRate rate;
  };

  /// Waits for the next worker that opens a stream; when one does, waits for
  /// the next again, until the server ends.
  static void await(v1::WorkerLink::AsyncService& service, grpc::ServerCompletionQueue& queue,
                    const std::shared_ptr<LaunchRegister>& launches, rpc::LiveCalls& live,
                    const Limits& limits);
  AttachStream(const AttachStream&) = delete;
  AttachStream& operator=(const AttachStream&) = delete;

  bool send(v1::SupervisorFrame&& frame) override;
  bool queue(v1::SupervisorFrame&& frame) override;
  void flush() override;
  void end(const grpc::Status& status) override;

  bool expire(Clock::time_point now) override;

 private:
  AttachStream(v1::WorkerLink::AsyncService& service, grpc::ServerCompletionQueue& queue,
               std::shared_ptr<LaunchRegister> launches, rpc::LiveCalls& live,
               const Limits& limits);
  void opened(bool ok);
  void read(bool ok);
  void read_on();
  void waited(bool);
  void written(bool ok);
  void finished(bool ok);
  bool hear();
  [[nodiscard]] std::string too_much() const;
  void lose();

  rpc::LiveCalls& live_;
  const rpc::LiveCalls::One counted_{live_};
  v1::WorkerLink::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  const std::shared_ptr<LaunchRegister> launches_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::SupervisorBatch, v1::WorkerBatch> stream_{&context_};
  rpc::Operation<AttachStream> opening_{*this, &AttachStream::opened};
  rpc::Operation<AttachStream> reading_{*this, &AttachStream::read};
  rpc::Operation<AttachStream> writing_{*this, &AttachStream::written};
  rpc::Operation<AttachStream> finishing_{*this, &AttachStream::finished};

  rpc::Operation<AttachStream> waiting_{*this, &AttachStream::waited};
  grpc::Alarm alarm_;
  const Limits limits_;

  // Of the reading side, which is one at a time.
  LinkBudget budget_{limits_.rate};
  std::uint64_t heard_cost_ = 0;
  std::size_t heard_bytes_ = 0;
  std::shared_ptr<StreamLink> link_;
  v1::WorkerBatch heard_;

  std::mutex mutex_;
  Clock::time_point hello_due_ = Clock::time_point::max();
  std::deque<v1::SupervisorBatch> queued_;
  std::size_t queued_frames_ = 0;
  std::size_t last_batch_bytes_ = 0;
  v1::SupervisorBatch sending_;
  bool has_spoken_ = false;
  bool is_writing_ = false;
  bool is_finished_ = false;  // Or about to be.
  std::optional<grpc::Status> ending_;
  Clock::time_point end_due_;
};

}  // namespace supervisor::link
