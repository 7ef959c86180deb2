// Measures how long the interpreter keeps a thread waiting that wants it: one
// look per ping, so that a worker that nobody asks sleeps. Who looks may wait
// for ever; pings that come meanwhile are answered by whoever hears them, with
// how long the look has waited so far.
//
// Owned by the Worker. Thread-safe; knows nothing of Python.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "worker_shim/native/outbox.h"

namespace plugin_worker {

class InterpreterProbe {
 public:
  using Clock = std::chrono::steady_clock;

  struct Means {
    /// Takes the interpreter and gives it back; waits for it for ever.
    std::function<void()> visit;
    /// Calls that run or wait.
    std::function<std::uint32_t()> calls;
    /// Starts a thread that runs the body it is given, for ever. False when
    /// there are too many already.
    std::function<bool(std::function<void()>)> start_thread;
  };
  InterpreterProbe(Outbox& outbox, Means means) : outbox_(outbox), means_(std::move(means)) {}
  InterpreterProbe(const InterpreterProbe&) = delete;
  InterpreterProbe& operator=(const InterpreterProbe&) = delete;

  /// Begins a look, which answers when it has had the interpreter. While an
  /// earlier one still waits, or when there is no thread to look, the answer
  /// is put at once.
  void ping(std::uint64_t nonce);

 private:
  void look();
  void answer(std::uint64_t nonce, Clock::duration wait, bool waits);  // Locked.

  Outbox& outbox_;
  const Means means_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  bool has_thread_ = false;  // Since the first ping: a fork brings no threads.
  bool looking_ = false;
  std::uint64_t nonce_ = 0;  // Of the ping that the look is for.
  Clock::time_point since_;
};

}  // namespace plugin_worker
