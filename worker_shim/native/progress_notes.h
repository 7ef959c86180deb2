// What calls tell of their progress, on its way to the supervisor. A plugin may
// tell it in a tight loop: of each call one note leaves per `pace`, and the
// last one always does.
//
// Owned by the Worker. Thread-safe; knows nothing of Python.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "worker_shim/native/outbox.h"

namespace plugin_worker {

class ProgressNotes {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds pace{100};

  /// `start_thread` starts one that runs the body it is given, for ever. False
  /// when there are too many already.
  ProgressNotes(Outbox& outbox, std::function<bool(std::function<void()>)> start_thread)
      : outbox_(outbox), start_thread_(std::move(start_thread)) {}
  ProgressNotes(const ProgressNotes&) = delete;
  ProgressNotes& operator=(const ProgressNotes&) = delete;

  void tell(std::uint64_t call_id, double fraction, std::string message);

  /// The call is about to be answered: what it told last is put before that.
  void end(std::uint64_t call_id);

 private:
  struct Note {
    Clock::time_point sent;
    bool is_kept = false;  // Something waits for its time.
    double fraction = 0;
    std::string message;
  };

  void put(std::uint64_t call_id, Note& note, Clock::time_point now);  // Locked.
  void send_kept();

  Outbox& outbox_;
  const std::function<bool(std::function<void()>)> start_thread_;
  std::atomic<bool> is_used_ = false;  // Spares calls that tell nothing the lock.
  std::mutex mutex_;
  std::condition_variable kept_;
  std::map<std::uint64_t, Note> notes_;  // By call.
  bool has_thread_ = false;
};

}  // namespace plugin_worker
