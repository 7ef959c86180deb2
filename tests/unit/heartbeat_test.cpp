#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include "supervisor/lifecycle/heartbeat_watch.h"

using namespace supervisor::lifecycle;
using namespace std::chrono_literals;
using plugin_supervisor::v1::Pong;
using plugin_supervisor::v1::Pulse;
using enum plugin_supervisor::v1::Pulse;

namespace {

constexpr PulseLimits limits{.wedged_after = 30s, .silent_after = 20s};

PulseFacts silent(std::chrono::milliseconds time, char state, bool continued = false) {
  PulseFacts facts;
  facts.unanswered_pings = silent_pings;
  facts.unanswered = time;
  facts.process_state = state;
  facts.continued = continued;
  return facts;
}

PulseFacts waiting(std::chrono::milliseconds time) {
  PulseFacts facts;
  facts.waiting = time;
  return facts;
}

/// A worker as its heartbeat sees it, with a clock of its own.
struct Patient {
  bool answers = true;
  bool wedged = false;
  supervisor::sys::ProcessStat process{.state = 'S'};
  bool calls = false;
  unsigned pings = 0;
  std::vector<PulseVerdict> told;
  Heartbeat::Clock::time_point now{};
  std::uint64_t last_nonce = 0;
  Heartbeat::Clock::time_point wedged_since{};
  Heartbeat heartbeat{
      limits,
      {.ping =
           [this](std::uint64_t nonce) {
             ++pings;
             last_nonce = nonce;
           },
       .has_calls = [this] { return calls; },
       .process = [this] { return process; },
       .tell = [this](Pulse, const PulseVerdict& verdict) { told.push_back(verdict); }}};

  /// A beat, and what the worker says to it. The first ping that finds the
  /// interpreter held waits with it.
  void beat(std::chrono::milliseconds after = 1s, std::chrono::milliseconds counted = 1s,
            bool turn = false) {
    now += after;
    const auto before = pings;
    heartbeat.beat(now, counted, turn);
    if (!answers || pings == before) return;
    if (wedged && wedged_since == Heartbeat::Clock::time_point{}) {
      wedged_since = now;
      return;
    }
    Pong pong;
    pong.set_nonce(last_nonce);
    pong.set_interpreter_waits(wedged);
    pong.set_interpreter_wait_us(
        wedged
            ? static_cast<std::uint32_t>(
                  std::chrono::duration_cast<std::chrono::microseconds>(now - wedged_since).count())
            : 50);
    heartbeat.heard(pong, now);
  }
  [[nodiscard]] bool was_told(PulseAction action) const {
    return std::any_of(told.begin(), told.end(),
                       [&](const auto& verdict) { return verdict.action == action; });
  }
};

}  // namespace

TEST_CASE("a pulse tells a slow action from a wedged interpreter, a stopped process, a dead link") {
  using enum PulseAction;
  CHECK(judge({}, limits) == PulseVerdict{PULSE_WELL, none});
  PulseFacts busy;
  busy.last_wait = 5200us;
  CHECK(judge(busy, limits) == PulseVerdict{PULSE_BUSY, none});
  // However long an action takes: the interpreter is to be had.
  busy.unanswered_pings = 1;
  busy.unanswered = 1h;
  CHECK(judge(busy, limits) == PulseVerdict{PULSE_BUSY, none});
  CHECK(judge(waiting(500ms), limits) == PulseVerdict{PULSE_BUSY, none});
  CHECK(judge(waiting(29s), limits) == PulseVerdict{PULSE_WEDGED, none});
  CHECK(judge(waiting(30s), limits) == PulseVerdict{PULSE_WEDGED, end});
  CHECK(judge(silent(9s, 'T'), limits) == PulseVerdict{PULSE_STOPPED, none});
  CHECK(judge(silent(10s, 'T'), limits) == PulseVerdict{PULSE_STOPPED, resume});
  CHECK(judge(silent(11s, 'T', true), limits) == PulseVerdict{PULSE_STOPPED, none});
  CHECK(judge(silent(20s, 'T', true), limits) == PulseVerdict{PULSE_STOPPED, end});
  CHECK(judge(silent(15s, 't'), limits) == PulseVerdict{PULSE_STOPPED, none});
  CHECK(judge(silent(19s, 'S'), limits) == PulseVerdict{PULSE_SILENT, none});
  CHECK(judge(silent(20s, 'S'), limits) == PulseVerdict{PULSE_SILENT, end});
  CHECK(judge(silent(20s, 'D'), limits) == PulseVerdict{PULSE_SILENT, end});
}

TEST_CASE("a limit of nought ends nobody, and tells no stopped process to go on") {
  constexpr PulseLimits never{.wedged_after = 0ms, .silent_after = 0ms};
  for (const auto& facts : {waiting(24h), silent(24h, 'T'), silent(24h, 'S')})
    CHECK(judge(facts, never).action == PulseAction::none);
}

TEST_CASE("a worker that answers nothing is ended when its time is over, and told so once") {
  Patient patient;
  patient.calls = true;
  patient.beat();
  patient.answers = false;
  for (int i = 0; i < 19; ++i) patient.beat();
  CHECK_FALSE(patient.was_told(PulseAction::end));
  CHECK(patient.heartbeat.shown().pulse() == PULSE_SILENT);
  for (int i = 0; i < 10; ++i) patient.beat();
  CHECK(std::count(patient.told.begin(), patient.told.end(),
                   PulseVerdict{PULSE_SILENT, PulseAction::end}) == 1);
  // Asked at doubling distances, not at every beat.
  CHECK(patient.pings < 10);
}

TEST_CASE("a stopped process is told to go on once, and is well again when it does") {
  Patient patient;
  patient.calls = true;
  patient.beat();
  patient.answers = false;
  patient.process.state = 'T';
  for (int i = 0; i < 15; ++i) patient.beat();
  CHECK(std::count(patient.told.begin(), patient.told.end(),
                   PulseVerdict{PULSE_STOPPED, PulseAction::resume}) == 1);
  Pong pong;
  pong.set_nonce(patient.last_nonce);
  patient.heartbeat.heard(pong, patient.now);
  patient.answers = true;
  patient.process.state = 'S';
  patient.beat();
  CHECK(patient.heartbeat.shown().pulse() == PULSE_WELL);
  for (int i = 0; i < 60; ++i) patient.beat();
  CHECK_FALSE(patient.was_told(PulseAction::end));
}

TEST_CASE("time in which the supervisor was late is nobody's silence") {
  Patient patient;
  patient.calls = true;
  patient.beat();
  patient.answers = false;
  patient.beat();
  // The machine slept for an hour, and again, and again.
  for (int i = 0; i < 10; ++i) patient.beat(1h, 1s);
  CHECK_FALSE(patient.was_told(PulseAction::end));
}

TEST_CASE("an interpreter that is held is known by both clocks") {
  Patient patient;
  patient.calls = true;
  patient.beat();
  patient.wedged = true;
  for (int i = 0; i < 20; ++i) patient.beat();
  CHECK(patient.heartbeat.shown().pulse() == PULSE_WEDGED);
  CHECK_FALSE(patient.was_told(PulseAction::end));
  for (int i = 0; i < 20; ++i) patient.beat();
  CHECK(patient.was_told(PulseAction::end));

  // A process that was stopped for an hour and finds a ping before its look has
  // had the interpreter.
  Patient woken;
  woken.calls = true;
  woken.beat();
  Pong pong;
  pong.set_interpreter_waits(true);
  pong.set_interpreter_wait_us(3'600'000'000);
  woken.heartbeat.heard(pong, woken.now);
  for (int i = 0; i < 60; ++i) woken.beat();
  CHECK_FALSE(woken.was_told(PulseAction::end));
  CHECK(woken.heartbeat.shown().pulse() == PULSE_WELL);
}

TEST_CASE("a worker without calls is asked only when it is odd, and until it is well") {
  Patient patient;
  for (int i = 0; i < 100; ++i) patient.beat(1s, 1s, i % 10 == 0);
  CHECK(patient.pings == 0);
  CHECK(patient.heartbeat.shown().pulse() == plugin_supervisor::v1::PULSE_UNSPECIFIED);
  patient.process.cpu_seconds = 5;
  patient.beat();
  CHECK(patient.pings == 0);
  patient.beat(1s, 1s, true);
  CHECK(patient.pings == 1);
  patient.beat();
  patient.beat(1s, 1s, true);
  CHECK(patient.heartbeat.shown().pulse() == PULSE_WELL);
  CHECK(patient.pings == 1);
  SECTION("a thread of it has the interpreter") {
    patient.wedged = true;
    patient.process.cpu_seconds = 35;
    patient.beat(1s, 1s, true);
    for (int i = 0; i < 40; ++i) patient.beat();
    CHECK(patient.was_told(PulseAction::end));
  }
  SECTION("its process is stopped") {
    patient.answers = false;
    patient.process.state = 'T';
    patient.beat(1s, 1s, true);
    for (int i = 0; i < 40; ++i) patient.beat();
    CHECK(patient.was_told(PulseAction::resume));
  }
}

TEST_CASE("a beat that comes late counts like one that came in time") {
  boost::asio::io_context io;
  HeartbeatWatch watch(io.get_executor(), 1000ms);
  unsigned ends = 0;
  const auto deaf = std::make_shared<Heartbeat>(
      limits, Heartbeat::Body{.ping = [](std::uint64_t) {},
                              .has_calls = [] { return true; },
                              .process = [] { return supervisor::sys::ProcessStat{.state = 'S'}; },
                              .tell =
                                  [&ends](Pulse, const PulseVerdict& verdict) {
                                    if (verdict.action == PulseAction::end) ++ends;
                                  }});
  watch.add(deaf);
  auto now = HeartbeatWatch::Clock::now();
  for (int beat = 0; beat < 15; ++beat) watch.beat(now += 1h);
  CHECK(ends == 0);
  for (int beat = 0; beat < 15; ++beat) watch.beat(now += 1s);
  CHECK(ends == 1);
}

TEST_CASE("each idle worker is looked at once in thirty beats, few of them at a time") {
  boost::asio::io_context io;
  HeartbeatWatch watch(io.get_executor(), 1000ms);
  constexpr std::size_t workers = 100;
  std::vector<unsigned> looks(workers);
  std::vector<std::shared_ptr<Heartbeat>> heartbeats;
  for (std::size_t i = 0; i < workers; ++i) {
    heartbeats.push_back(std::make_shared<Heartbeat>(
        limits, Heartbeat::Body{.ping = [](std::uint64_t) { FAIL("an idle worker was woken"); },
                                .has_calls = [] { return false; },
                                .process =
                                    [&looks, i] {
                                      ++looks[i];
                                      return supervisor::sys::ProcessStat{.state = 'S'};
                                    },
                                .tell = [](Pulse, const PulseVerdict&) {}}));
    watch.add(heartbeats.back());
  }
  auto now = HeartbeatWatch::Clock::now();
  unsigned before = 0;
  for (std::size_t beat = 0; beat < 3 * HeartbeatWatch::idle_beats; ++beat) {
    watch.beat(now += 1s);
    unsigned all = 0;
    for (const auto count : looks) all += count;
    CHECK(all - before <= workers / HeartbeatWatch::idle_beats + 1);
    before = all;
  }
  for (const auto count : looks) CHECK(count == 3);
  heartbeats.front()->end();
  heartbeats.pop_back();
  for (std::size_t beat = 0; beat < HeartbeatWatch::idle_beats; ++beat) watch.beat(now += 1s);
  CHECK(looks.front() == 3);
  CHECK(looks.back() == 3);
}
