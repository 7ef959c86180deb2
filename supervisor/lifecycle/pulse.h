// What a worker's heartbeat says of it, and what is to be done about that. To
// a caller a slow action, C code that keeps the interpreter, a stopped process
// and a dead link all look the same: nothing comes.
//
// Pure: times are durations that the caller has measured.
#pragma once

#include <chrono>

#include "plugin_supervisor/v1/plugin.pb.h"

namespace supervisor::lifecycle {

namespace v1 = plugin_supervisor::v1;

struct PulseLimits {
  /// When a worker is ended; 0 = never.
  std::chrono::milliseconds wedged_after{30000};  // Its interpreter was not to be had for so long.
  std::chrono::milliseconds silent_after{30000};  // It has not answered for so long.
};

struct PulseFacts {
  /// Pings since the last answer, but for one that was sent just now.
  unsigned unanswered_pings = 0;
  /// Since the first of them.
  std::chrono::milliseconds unanswered{0};
  /// How long the interpreter has kept the present look waiting; 0 = no look
  /// waits.
  std::chrono::milliseconds waiting{0};
  /// How long the last look took that got it.
  std::chrono::microseconds last_wait{0};
  /// As /proc/<pid>/stat says: 'T' is stopped. Asked for only when it is silent.
  char process_state = '?';
  /// It was told to go on (SIGCONT) since it fell silent.
  bool continued = false;
};

enum class PulseAction {
  none,
  resume,  // Tell the process to go on: SIGCONT.
  end,     // End the worker.
};

struct PulseVerdict {
  v1::Pulse pulse = v1::PULSE_UNSPECIFIED;
  PulseAction action = PulseAction::none;
  friend bool operator==(const PulseVerdict&, const PulseVerdict&) = default;
};

/// One unanswered ping is a look that waits for the interpreter; the second
/// would have been answered all the same, unless the machine is busy.
inline constexpr unsigned silent_pings = 3;
/// A thread of Python code lets go of the interpreter after 5 ms (see
/// sys.setswitchinterval): a look that takes so long has met one.
inline constexpr std::chrono::microseconds busy_wait{4000};
/// Many such threads on a busy machine take turns; not for so long.
inline constexpr std::chrono::milliseconds wedged_wait{1000};

[[nodiscard]] bool is_silent(const PulseFacts& facts);

PulseVerdict judge(const PulseFacts& facts, const PulseLimits& limits);

/// One sentence on what the pulse means, for a plugin's log.
const char* explain(v1::Pulse pulse);

}  // namespace supervisor::lifecycle
