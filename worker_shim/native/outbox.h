// Frames on their way to the supervisor. Whoever has a frame puts it here;
// while one write is under way, frames collect and leave with the next.
//
// Owned by the Worker. Thread-safe; knows nothing of Python.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

#include "plugin_supervisor/v1/worker_link.pb.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

class Outbox {
 public:
  /// Begins to put one batch on the wire; written() follows when it is done.
  /// `last`: that is when the bytes have left this process.
  using Write = std::function<void(const v1::WorkerBatch&, bool last)>;

  static constexpr std::size_t max_log_lines = 8192;        // Waiting.
  static constexpr std::size_t max_event_bytes = 16 << 20;  // Waiting.

  explicit Outbox(Write write) : write_(std::move(write)) {}

  /// Appends without writing.
  void put(v1::WorkerFrame&& frame);

  /// Appends log lines, to the log batch before them if nothing came between.
  /// Lines over the limit are dropped and counted.
  void put_log(v1::LogLine&& line);

  /// Appends an event. False when too much waits already.
  bool put_event(v1::EmittedEvent&& event);

  /// Begins a write in this thread, unless one is under way.
  void flush_here();

  /// Lets the writing thread do it.
  void flush_soon();

  /// The write that was under way is done; begins the next. One that failed is
  /// kept: hold() follows, or close().
  void written(bool ok);

  /// The stream is lost: no write begins any more. Returns when no thread is
  /// inside of one, so that the stream can go.
  void hold();

  /// There is another stream: `first` leaves on it, then everything that was
  /// kept, then what came meanwhile. A batch whose write had begun is sent
  /// again as a whole.
  void resume(v1::WorkerBatch first);

  /// Body of the writing thread. Returns when closed.
  void write_until_closed();

  /// Nothing is put or written any more.
  void close();

  /// Waits until all has left the process. False at the deadline.
  bool drain(std::chrono::milliseconds deadline);

 private:
  void append(v1::WorkerFrame&& frame);                // Locked.
  void count(const v1::WorkerFrame& frame, int sign);  // Locked.
  [[nodiscard]] bool may_write() const { return !writing_ && !held_ && !queued_.empty(); }
  void begin_write(std::unique_lock<std::mutex>& lock);  // Unlocks during the write.

  const Write write_;
  std::mutex mutex_;
  std::condition_variable wanted_;   // For the writing thread.
  std::condition_variable drained_;  // For drain() and hold().
  std::deque<v1::WorkerBatch> queued_;
  std::size_t last_batch_bytes_ = 0;
  std::size_t log_lines_ = 0;
  std::uint32_t dropped_lines_ = 0;
  std::size_t event_bytes_ = 0;
  v1::WorkerBatch sending_;  // gRPC's while writing_.
  bool writing_ = false;
  int in_write_ = 0;  // Threads inside of write_.
  bool held_ = false;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace plugin_worker
