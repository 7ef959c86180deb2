#include "supervisor/lifecycle/heartbeat.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

using namespace std::chrono_literals;

void Heartbeat::beat(Clock::time_point now, Milliseconds counted, bool turn) {
  const bool wanted = body_.has_calls() || (turn && is_odd());
  PulseFacts facts;
  {
    const std::lock_guard lock(mutex_);
    if (facts_.unanswered_pings > 0) facts_.unanswered += counted;
    // A look may have waited for as long as its process was stopped, which is
    // no fault of who has the interpreter: both clocks must say so.
    if (std::exchange(heard_waiting_, false))
      facts_.waiting = std::min(facts_.waiting + counted, told_wait_);
    facts = facts_;
  }
  if (is_silent(facts)) facts.process_state = body_.process().state;
  const auto verdict = judge(facts, limits_);

  std::uint64_t ping = 0;
  bool tells = false;
  v1::Pulse before = v1::PULSE_UNSPECIFIED;
  {
    const std::lock_guard lock(mutex_);
    before = shown_.pulse();
    if (verdict.pulse != before && (answered_ || is_silent(facts))) {
      shown_.set_pulse(verdict.pulse);
      shown_.set_since_unix_ms(sys::unix_ms());
      tells = true;
    }
    if (verdict.action == PulseAction::resume) {
      facts_.continued = true;
      tells = true;
    } else if (verdict.action == PulseAction::end) {
      tells = !std::exchange(told_end_, true);
    }
    if (is_due(wanted)) {
      note_ping(now);
      ping = nonce_;
    }
  }
  if (ping != 0) body_.ping(ping);
  if (tells) body_.tell(before, verdict);
}

bool Heartbeat::is_odd() {
  const auto process = body_.process();
  const double used = process.cpu_seconds - cpu_seen_;
  cpu_seen_ = process.cpu_seconds;
  return process.state == 'T' || process.state == 't' || used > odd_cpu_seconds;
}

bool Heartbeat::is_due(bool wanted) const {
  // Not at every beat: whoever is silent because the machine is busy would
  // only be made busier.
  if (facts_.unanswered_pings > 0) return facts_.unanswered >= ping_again_at_;
  return wanted || waits_;
}

void Heartbeat::note_ping(Clock::time_point now) {
  ++nonce_;
  ++facts_.unanswered_pings;
  pinged_at_ = now;
  ping_again_at_ = 2 * facts_.unanswered;
}

void Heartbeat::heard(const v1::Pong& pong, Clock::time_point now) {
  const auto wait = std::chrono::microseconds(pong.interpreter_wait_us());
  const std::lock_guard lock(mutex_);
  answered_ = true;
  facts_.unanswered_pings = 0;
  facts_.unanswered = 0ms;
  facts_.continued = false;
  waits_ = pong.interpreter_waits();
  if (waits_) {
    heard_waiting_ = true;
    told_wait_ = std::chrono::duration_cast<Milliseconds>(wait);
  } else {
    heard_waiting_ = false;
    facts_.waiting = 0ms;
    facts_.last_wait = wait;
  }
  shown_.set_interpreter_wait_us(pong.interpreter_wait_us());
  if (pong.nonce() != nonce_) return;
  // The answer comes after the look.
  auto trip = std::chrono::duration_cast<std::chrono::microseconds>(now - pinged_at_);
  if (!waits_) trip -= std::min(trip, wait);
  shown_.set_round_trip_us(static_cast<std::uint32_t>(
      std::min<std::int64_t>(trip.count(), std::numeric_limits<std::uint32_t>::max())));
}

v1::Heartbeat Heartbeat::shown() const {
  const std::lock_guard lock(mutex_);
  return shown_;
}

}  // namespace supervisor::lifecycle
