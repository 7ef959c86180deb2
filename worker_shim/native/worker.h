// The worker's end of the link: the stream, what it says, the thread that
// reads it and the one that writes what others leave behind. Answers pings without
// Python, so that a plugin that holds the GIL is still known to be alive. When
// the supervisor dies, the plugin goes on and the next supervisor is awaited.
//
// One per process, made by the main thread and never destroyed: the process
// ends with _exit. Knows nothing of Python but through PluginPort.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "worker_shim/native/call_queue.h"
#include "worker_shim/native/host_calls.h"
#include "worker_shim/native/interpreter_probe.h"
#include "worker_shim/native/link_stream.h"
#include "worker_shim/native/open_calls.h"
#include "worker_shim/native/outbox.h"
#include "worker_shim/native/owed_calls.h"
#include "worker_shim/native/poll_turn.h"
#include "worker_shim/native/progress_notes.h"
#include "worker_shim/native/running_calls.h"
#include "worker_shim/native/signal_mask.h"
#include "worker_shim/native/stack_dump.h"

namespace plugin_worker {

/// The way into Python. Each method takes the GIL itself.
class PluginPort {
 public:
  virtual ~PluginPort() = default;
  /// Body of a pool thread.
  virtual void run_pool_thread() = 0;
  /// Makes a cancelled call end that has not let go within `grace`.
  virtual void interrupt(std::uint64_t call_id, std::chrono::milliseconds grace) = 0;
  /// Runs `body` with the GIL held; waits for it for ever.
  virtual void run_with_interpreter(const std::function<void()>& body) = 0;
  /// Runs the plugin's stop.
  virtual v1::Stopped stop(const std::string& reason) = 0;
};

class Worker {
 public:
  struct Launch {
    std::string socket_path;
    std::string plugin;
    std::uint64_t generation = 0;
    std::string token;
    std::string python_version;
  };

  /// When the supervisor is gone for good: what the plugin's stop() may take.
  static constexpr std::chrono::seconds orphan_budget{10};
  /// How long it goes on without a supervisor that has not said how long yet.
  static constexpr std::chrono::milliseconds unwelcomed_window{5000};
  /// Between two attempts to attach again: at first, and later.
  static constexpr std::chrono::milliseconds reattach_pause{20};
  static constexpr std::chrono::milliseconds reattach_long_pause{100};
  /// Connections in a row that were closed without a word: it is not wanted.
  static constexpr int max_unwelcomed = 8;
  static constexpr int exit_link_lost = 4;
  /// Of the budget of a stop, what calls under way get to finish before they
  /// are cancelled: a part of it, and not more than the plugin's stop() can
  /// spare.
  static constexpr int finish_share = 6;
  static constexpr std::chrono::seconds longest_finish{5};
  /// How long a dump of the stacks waits for the GIL before it does without.
  static constexpr std::chrono::milliseconds interpreter_patience{300};
  /// How long the main thread polls after a call before it leaves that to the
  /// reading thread. Python's signal handlers may have to wait as long.
  static constexpr std::chrono::milliseconds main_polls_for{50};

  /// Connects and says Hello. Throws std::system_error.
  Worker(const Launch& launch, PluginPort& port);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// What to load. Nothing when the link ended or `deadline` passed; then
  /// why_ended() tells.
  std::optional<v1::Load> wait_for_load(std::chrono::milliseconds deadline);
  std::string why_ended();
  [[nodiscard]] std::uint64_t max_result_bytes() const { return max_result_bytes_; }

  Outbox& outbox() { return outbox_; }
  CallQueue& calls() { return calls_; }
  RunningCalls& running() { return running_; }
  ProgressNotes& progress() { return progress_; }
  StackDump& stacks() { return stacks_; }
  HostCalls& host_calls() { return host_calls_; }
  [[nodiscard]] const std::string& plugin() const { return launch_.plugin; }
  [[nodiscard]] std::uint64_t generation() const { return launch_.generation; }

  /// Says what came of the load, or what the metadata are now; said again to
  /// another supervisor. Without the GIL.
  void tell_loaded(v1::WorkerFrame&& frame);

  /// Puts the result of a call into the outbox.
  void answer(v1::WorkerFrame&& frame);

  /// On the main thread, without the GIL: returns when there may be a job or a
  /// signal to handle.
  void wait_for_job();

  /// On the main thread: it will wait elsewhere for its next job.
  void leave_link_to_reader() { turn_.hand_to_reader(); }

  /// Some thread, perhaps the main one, waits for something that only the link
  /// can bring.
  void see_that_link_is_polled() { turn_.call_reader(); }

  /// Runs the plugin's stop, lets cancelled calls answer, says so, and ends the
  /// process. Without the GIL.
  [[noreturn]] void stop_and_exit(const std::string& reason);

  /// In a child that the plugin forked: the link is the parent's.
  void forget_after_fork();
  [[nodiscard]] bool is_forked_child() const { return forked_; }

 private:
  /// What a batch brought for the main thread.
  struct Brought {
    int calls = 0;
    bool woke_main = false;
  };
  void read();
  Brought hear(v1::SupervisorBatch& batch);
  void hear(v1::SupervisorFrame& frame, Brought& brought);
  void hear_stop(const v1::Stop& stop);
  void let_calls_finish(std::chrono::milliseconds budget);
  void run_stop(const std::string& reason, bool here);
  void hear_cancel(std::uint64_t call_id);
  void interrupt_after_grace(std::uint64_t call_id);
  void hear_dump_stacks();
  std::string dump_stacks();
  void refuse(std::uint64_t call_id, v1::Reason reason, const std::string& why);
  v1::WorkerFrame hello() const;
  bool attach_again();
  bool launch_is_over() const;
  [[noreturn]] void end_with_link();
  [[noreturn]] void leave(const v1::Stopped& stopped);

  /// A thread that runs the plugin's code. False when there can be none.
  bool start_plugin_thread(const char* name, std::function<void()> body);

  const sigset_t signal_mask_;  // As the process was started with.
  const Launch launch_;
  PluginPort& port_;
  Outbox outbox_;
  CallQueue calls_;
  RunningCalls running_;
  OpenCalls open_calls_;
  ProgressNotes progress_;
  InterpreterProbe probe_;
  StackDump stacks_;
  HostCalls host_calls_;
  std::atomic<bool> stacks_wait_for_interpreter_ = false;
  OwedCalls owed_;
  std::mutex stream_mutex_;  // Of who replaces the stream, and who ends it.
  std::unique_ptr<LinkStream> stream_;
  std::atomic<int> stream_fd_ = -1;
  PollTurn turn_;
  std::atomic<bool> forked_ = false;
  std::atomic<std::uint64_t> max_result_bytes_ = 0;
  std::atomic<std::uint32_t> cancel_grace_ms_ = 0;
  std::atomic<std::int64_t> reattach_window_ms_ = unwelcomed_window.count();
  std::optional<std::chrono::steady_clock::time_point> lost_since_;  // Of the reader.
  int unwelcomed_ = 0;                                               // Likewise.

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<v1::Load> load_;
  v1::WorkerFrame told_;              // loaded or load_failed, once there is one of them.
  std::optional<std::string> ended_;  // Why.
  std::chrono::steady_clock::time_point stop_by_{};  // Once a stop was heard.
};

}  // namespace plugin_worker
