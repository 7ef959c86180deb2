// Which thread runs which call. The main thread runs them one after another.
// Only when it has been busy with one call for longer than `patience` does a
// thread of the pool take the next: short calls thus never fight for the GIL,
// and a status poll still answers while a long action runs.
//
// Owned by the Worker. Filled by whoever polls the link; the other methods say
// who calls them. Knows nothing of Python: no method may be called by a thread
// that would have to wait for the GIL inside.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/worker_link.pb.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

struct Job {
  enum class What { call, refresh, stop };
  What what = What::call;
  v1::Invoke invoke;   // For call.
  std::string reason;  // For stop.
};

class CallQueue {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds patience{2000};

  /// `start_pool_thread` starts one thread that calls next_for_pool(); false
  /// when there can be none. Throws std::system_error.
  explicit CallQueue(std::function<bool()> start_pool_thread);
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;
  ~CallQueue();

  // --- Whoever polls the link ---

  void set_pool_threads(std::uint32_t count);
  enum class Pushed { queued, woke_main, refused };  // refused: it is stopping.
  Pushed push(v1::Invoke&& invoke);
  /// Drops a call that nobody has begun. False when it waits no more.
  bool forget(std::uint64_t call_id);
  /// Settings for whoever runs next, and a job that looks at the metadata
  /// again.
  void change_settings(std::string settings_json);

  /// No call is taken or started after this. Returns those that nobody will
  /// run; those that run go on.
  std::vector<v1::Invoke> refuse_more();

  enum class StopPlace { main_thread, new_thread, not_serving, stopping_already };
  /// Says which thread is to run the plugin's stop; the main thread gets it as
  /// a job when it is idle. No call starts after this.
  StopPlace stop(const std::string& reason);
  [[nodiscard]] bool is_stopping();

  // --- The main thread ---

  /// Calls may be run from now on, or soon: a stop is the plugin's to run.
  void serve();
  /// For Python's signal.set_wakeup_fd().
  [[nodiscard]] int wakeup_fd() const { return main_wakes_; }
  [[nodiscard]] bool has_job_for_main();
  /// Returns when there may be a job, or a signal came.
  void wait_for_main();
  /// The same in two halves, for a main thread that has other things to do
  /// while it waits: a descriptor that becomes readable, or -1 when there is a
  /// job; and the end of the wait, which does not block.
  int park_main();
  void unpark_main();
  std::optional<Job> next_for_main();
  /// The job is done. True when another waits.
  bool main_done();

  // --- A pool thread ---

  Job next_for_pool();
  void pool_done();

  // --- Any thread with the GIL ---

  /// The settings that came last, once.
  std::optional<std::string> take_settings();

 private:
  void wake_main();  // Locked.
  void wake_pool();  // Locked.

  const std::function<bool()> start_pool_thread_;
  std::mutex mutex_;
  std::condition_variable pool_;
  // A pipe rather than a condition variable, because Python's C-level signal
  // handler can write to it: a signal that comes just before the wait ends it.
  int main_sleeps_ = -1;  // Read end.
  int main_wakes_ = -1;   // Write end.
  std::deque<Job> jobs_;
  std::optional<std::string> stop_on_main_;
  std::optional<std::string> settings_;
  std::atomic<bool> settings_wait_ = false;
  bool serving_ = false;
  bool refusing_ = false;
  bool stopping_ = false;
  bool refresh_queued_ = false;
  bool main_parked_ = false;
  bool main_busy_ = false;
  Clock::time_point main_since_;
  std::uint32_t pool_limit_ = 0;
  std::uint32_t pool_size_ = 0;
  std::uint32_t pool_idle_ = 0;
  bool pool_watches_ = false;  // One of the idle waits for the patience to end.
};

}  // namespace plugin_worker
