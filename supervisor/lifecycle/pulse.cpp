#include "supervisor/lifecycle/pulse.h"

namespace supervisor::lifecycle {

using namespace std::chrono_literals;

bool is_silent(const PulseFacts& facts) { return facts.unanswered_pings >= silent_pings; }

PulseVerdict judge(const PulseFacts& facts, const PulseLimits& limits) {
  const auto over = [](auto time, std::chrono::milliseconds limit) {
    return limit > 0ms && time >= limit;
  };
  if (is_silent(facts)) {
    // Also 't', held by a debugger, which no signal sets going.
    const bool stopped = facts.process_state == 'T' || facts.process_state == 't';
    PulseVerdict verdict{stopped ? v1::PULSE_STOPPED : v1::PULSE_SILENT};
    if (over(facts.unanswered, limits.silent_after)) {
      verdict.action = PulseAction::end;
    } else if (facts.process_state == 'T' && !facts.continued &&
               over(facts.unanswered, limits.silent_after / 2)) {
      // Not at once: whoever stopped it may want to look at it.
      verdict.action = PulseAction::resume;
    }
    return verdict;
  }
  if (facts.waiting > 0ms)
    return {facts.waiting >= wedged_wait ? v1::PULSE_WEDGED : v1::PULSE_BUSY,
            over(facts.waiting, limits.wedged_after) ? PulseAction::end : PulseAction::none};
  return {facts.last_wait >= busy_wait ? v1::PULSE_BUSY : v1::PULSE_WELL, PulseAction::none};
}

const char* explain(v1::Pulse pulse) {
  switch (pulse) {
    case v1::PULSE_WELL:
      return "The interpreter answers.";
    case v1::PULSE_BUSY:
      return "The interpreter answers late: Python code takes its turns.";
    case v1::PULSE_WEDGED:
      return "The process answers, the interpreter does not: C code holds it.";
    case v1::PULSE_STOPPED:
      return "The process is stopped (SIGSTOP) and answers nothing.";
    case v1::PULSE_SILENT:
      return "The process runs, but answers nothing.";
    default:
      return "Not known yet.";
  }
}

}  // namespace supervisor::lifecycle
