// The connection to the supervisor and its one stream. Polled by one thread at
// a time, whichever has the turn; written by any.
//
// Owned by the Worker. Knows nothing of Python.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "plugin_supervisor/v1/worker_link.grpc.pb.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

class LinkStream {
 public:
  /// `written` is told by poll() how each write ended.
  using Written = std::function<void(bool ok)>;

  /// Connects and opens the stream. Throws std::system_error.
  LinkStream(const std::string& socket_path, Written written);
  /// Opens the stream over a connected socket, which is this object's then.
  LinkStream(int connection, Written written);
  LinkStream(const LinkStream&) = delete;
  LinkStream& operator=(const LinkStream&) = delete;
  /// Gives up what is under way. No other thread may be inside.
  ~LinkStream();

  enum class Heard { batch, nothing, ended };
  /// Waits for what the supervisor says, and does the stream's other business
  /// meanwhile. `nothing` when `patience` is over; negative waits for ever.
  Heard poll(std::chrono::milliseconds patience);
  /// After poll() said `batch`, and until it is called again.
  v1::SupervisorBatch& heard() { return heard_; }

  /// Begins a write; the next may follow when `written` was told. `batch` must
  /// live until then. `last`: it ends only when the bytes have left this
  /// process.
  void write(const v1::WorkerBatch& batch, bool last);
  /// Nothing more will be written.
  void end_writing();

  struct End {
    std::string why;
    bool deliberate = false;  // The supervisor ended it; else it was lost.
  };
  /// After poll() said `ended`, once. Waits for the supervisor's word.
  End why_ended();

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  Written written_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::WorkerBatch, v1::SupervisorBatch>> stream_;
  v1::SupervisorBatch heard_;
  bool reading_ = false;  // Of whoever polls.
  bool ended_ = false;    // Of whoever polls.
};

}  // namespace plugin_worker
