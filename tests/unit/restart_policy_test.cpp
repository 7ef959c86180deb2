// The restart policy: what holds for every course of crashes.
#include "supervisor/lifecycle/restart_policy.h"

#include <catch2/catch.hpp>
#include <random>

namespace {

using namespace supervisor::lifecycle;
using namespace std::chrono_literals;
using Action = RestartDecision::Action;

constexpr std::int64_t start_of_time = 1'800'000'000'000;

RestartPolicy without_quarantine() {
  return {
      .first_delay = 1s, .max_delay = 60s, .jitter = 0, .stable_after = 60s, .quarantine_after = 0};
}

std::int64_t delay(const RestartDecision& decision, std::int64_t now) {
  return decision.ledger.next_start == 0 ? 0 : decision.ledger.next_start - now;
}

// A policy of any numbers, from `random`.
RestartPolicy any_policy(std::mt19937& random) {
  const auto up_to = [&](int limit) { return static_cast<int>(random() % limit); };
  return {.mode = RestartMode::always,
          .first_delay = std::chrono::milliseconds(1 + up_to(5000)),
          .max_delay = std::chrono::milliseconds(5000 + up_to(100000)),
          .jitter = up_to(100) / 100.0,
          .stable_after = std::chrono::milliseconds(1 + up_to(100000)),
          .quarantine_after = static_cast<std::uint32_t>(up_to(8)),
          .period = std::chrono::milliseconds(1 + up_to(1000000))};
}

}  // namespace

TEST_CASE("the first crash restarts at once, later ones wait longer up to a bound") {
  const auto policy = without_quarantine();
  CrashLedger ledger;
  std::int64_t previous = -1;
  for (int crash = 1; crash <= 100; ++crash) {
    const auto decision = decide_restart(policy, ledger, start_of_time, {.ran_for = 5ms}, 0.5);
    INFO(crash);
    CHECK(decision.action == Action::start);
    const auto waits = delay(decision, start_of_time);
    if (crash == 1) CHECK(waits == 0);
    if (crash == 2) CHECK(waits == 1000);
    if (crash == 3) CHECK(waits == 2000);
    CHECK(waits >= previous);
    previous = waits;
    ledger = decision.ledger;
  }
  CHECK(previous == 60000);
}

TEST_CASE("a worker that ran long enough is forgiven its crashes") {
  const auto policy = without_quarantine();
  const CrashLedger many{.crashes_in_a_row = 9};
  CHECK(delay(decide_restart(policy, many, start_of_time, {.ran_for = 60s}, 0), start_of_time) ==
        0);
  CHECK(delay(decide_restart(policy, many, start_of_time, {.ran_for = 59s}, 0), start_of_time) ==
        60000);
}

TEST_CASE("for any policy and any course of crashes its bounds hold") {
  const auto seed = GENERATE(take(200, random(1, 1'000'000'000)));
  CAPTURE(seed);
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto policy = any_policy(random);
  std::uniform_real_distribution<double> share(0, 1);
  CrashLedger ledger;
  std::vector<std::int64_t> crashes;
  auto now = start_of_time;
  for (int crash = 0; crash < 60; ++crash) {
    now += static_cast<std::int64_t>(random() % 200000);
    crashes.push_back(now);
    const Ending ending{.ran_for = std::chrono::milliseconds(random() % 150000)};
    const double chance = share(random);
    const auto decision = decide_restart(policy, ledger, now, ending, chance);
    const auto same = decide_restart(policy, ledger, now, ending, chance);
    REQUIRE(same.ledger.next_start == decision.ledger.next_start);
    const auto within = std::count_if(crashes.begin(), crashes.end(), [&](std::int64_t at) {
      return now - at <= policy.period.count();
    });
    const bool too_often = policy.quarantine_after != 0 && within >= policy.quarantine_after;
    REQUIRE((decision.action == Action::quarantine) == too_often);
    REQUIRE((decision.ledger.quarantined_at != 0) == too_often);
    REQUIRE(static_cast<std::int64_t>(decision.ledger.recent.size()) == within);
    const auto waits = delay(decision, now);
    REQUIRE(waits >= 0);
    REQUIRE(waits <= policy.max_delay.count());
    if (decision.ledger.crashes_in_a_row == 1) REQUIRE(waits == 0);
    ledger = decision.ledger;
    if (too_often) {
      ledger = {};
      crashes.clear();
    }
  }
}

TEST_CASE("jitter only shortens a delay, by its share at most") {
  auto policy = without_quarantine();
  policy.jitter = 0.25;
  const CrashLedger ledger{.crashes_in_a_row = 3};  // The next waits 4 s.
  for (const double random : {0.0, 0.3, 0.999}) {
    const auto waits =
        delay(decide_restart(policy, ledger, start_of_time, {}, random), start_of_time);
    CHECK(waits <= 4000);
    CHECK(waits >= 3000);
  }
}

TEST_CASE("the mode decides whether an ending is followed by a start") {
  auto policy = without_quarantine();
  const auto action = [&](RestartMode mode, bool failed) {
    policy.mode = mode;
    return decide_restart(policy, {}, start_of_time, {.failed = failed}, 0).action;
  };
  CHECK(action(RestartMode::always, true) == Action::start);
  CHECK(action(RestartMode::always, false) == Action::start);
  CHECK(action(RestartMode::on_failure, true) == Action::start);
  CHECK(action(RestartMode::on_failure, false) == Action::stay_stopped);
  CHECK(action(RestartMode::never, true) == Action::stay_stopped);
  CHECK(action(RestartMode::never, false) == Action::stay_stopped);
}

TEST_CASE("a clock that was set back neither forgives crashes nor waits for ever") {
  auto policy = without_quarantine();
  policy.quarantine_after = 2;
  const auto first = decide_restart(policy, {}, start_of_time, {}, 0);
  const auto second = decide_restart(policy, first.ledger, start_of_time - 86'400'000, {}, 0);
  CHECK(second.action == Action::quarantine);
}
