// The heartbeat of one worker: pings and what comes back, added up to what
// judge() decides by.
//
// Owned by its run. beat() and end() on the core thread; heard() on the link's,
// shown() on any.
//
// Time counts only in pieces of beats that came when they should have: when
// the machine was suspended, or too busy even for us, nobody is to be blamed
// for being silent meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/lifecycle/pulse.h"
#include "supervisor/sys/process_stat.h"

namespace supervisor::lifecycle {

class Heartbeat {
 public:
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

  /// The worker, as far as its heartbeat needs it. All are called by beat().
  struct Body {
    std::function<void(std::uint64_t nonce)> ping;
    std::function<bool()> has_calls;
    std::function<sys::ProcessStat()> process;
    /// The pulse is another one, or something is to be done; the latter once.
    std::function<void(v1::Pulse before, const PulseVerdict& now)> tell;
  };
  Heartbeat(PulseLimits limits, Body body) : limits_(limits), body_(std::move(body)) {}
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// An idle worker that has used more processor time, in seconds, from turn to
  /// turn, is asked what it does.
  static constexpr double odd_cpu_seconds = 0.25;

  /// One beat, `counted` of time after the last. Pings a worker that has calls
  /// under way or is not well. Any other is looked at when it is its `turn`,
  /// from outside, and pinged only when it is stopped or not idle: to wake it
  /// costs more.
  void beat(Clock::time_point now, Milliseconds counted, bool turn);

  void heard(const v1::Pong& pong, Clock::time_point now);

  /// It is not watched any more.
  void end() { ended_ = true; }
  [[nodiscard]] bool ended() const { return ended_; }

  /// Its pulse is unspecified before the first answer.
  [[nodiscard]] v1::Heartbeat shown() const;

 private:
  [[nodiscard]] bool is_odd();                   // On the core thread.
  [[nodiscard]] bool is_due(bool wanted) const;  // Locked.
  void note_ping(Clock::time_point now);         // Locked.

  const PulseLimits limits_;
  const Body body_;
  bool ended_ = false;
  double cpu_seen_ = 0;  // When it was looked at last.

  mutable std::mutex mutex_;
  PulseFacts facts_;
  std::uint64_t nonce_ = 0;
  Clock::time_point pinged_at_;
  Milliseconds ping_again_at_{0};  // Of unanswered time: at doubling distances.
  bool waits_ = false;             // As the last answer said,
  bool heard_waiting_ = false;     // and one that came since the last beat,
  Milliseconds told_wait_{0};      // for how long by the worker's own clock.
  bool answered_ = false;          // At least once.
  bool told_end_ = false;
  v1::Heartbeat shown_;
};

}  // namespace supervisor::lifecycle
