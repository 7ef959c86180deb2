// What holds for every budget of a stop.
#include "supervisor/lifecycle/stop_budget.h"

#include <catch2/catch.hpp>
#include <random>

using supervisor::lifecycle::StopBudget;
using namespace std::chrono_literals;

TEST_CASE("the parts of a stop's budget follow each other and end within a second beyond it") {
  const auto began = StopBudget::Clock::time_point{} + 1h;
  std::mt19937 random(7);
  for (int round = 0; round < 1000; ++round) {
    const std::chrono::milliseconds budget(random() % 3 == 0 ? random() % 1000 : random() % 600000);
    INFO(budget.count());
    const StopBudget plan(began, budget);
    CHECK(plan.term_at >= began);
    CHECK(plan.kill_at - plan.term_at >= StopBudget::shortest_term);
    CHECK(plan.kill_at - plan.term_at <= StopBudget::longest_term);
    CHECK(plan.term_at >= began + budget * 3 / 4);
    CHECK(plan.kill_at <= began + budget + StopBudget::shortest_term);
    CHECK(plan.gone_by + StopBudget::last_lines <= began + budget + StopBudget::overtime);
    CHECK(StopBudget::overtime < 1s);
  }
}

TEST_CASE("of a short budget the plugin gets three quarters") {
  const auto began = StopBudget::Clock::time_point{};
  const StopBudget plan(began, 200ms);
  CHECK(plan.term_at == began + 150ms);
  CHECK(plan.kill_at == began + 400ms);
  CHECK(StopBudget(began, 0ms).term_at == began);
}

TEST_CASE("of the default budget the plugin gets all but half a second") {
  const auto began = StopBudget::Clock::time_point{};
  const StopBudget plan(began, 30s);
  CHECK(plan.term_at == began + 29500ms);
  CHECK(plan.kill_at == began + 30s);
}
