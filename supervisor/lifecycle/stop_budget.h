// How the one budget of a stop is divided: calls under way and stop() of the
// plugin, SIGTERM, SIGKILL, and a look whether all is gone. Whatever a plugin
// does, the last of these is over within the budget and one second.
//
// Pure: the clock is the caller's.
#pragma once

#include <algorithm>
#include <chrono>

namespace supervisor::lifecycle {

struct StopBudget {
  using Clock = std::chrono::steady_clock;
  using Milliseconds = std::chrono::milliseconds;

  /// From SIGTERM to SIGKILL: so much at most, and at least so much, even when
  /// there is no budget.
  static constexpr Milliseconds longest_term{500};
  static constexpr Milliseconds shortest_term{250};
  /// From SIGKILL until what is still there counts as surviving.
  static constexpr Milliseconds kill_window{400};
  /// For what was printed last and is still in the pipes.
  static constexpr Milliseconds last_lines{200};
  /// What a stop may take beyond its budget.
  static constexpr Milliseconds overtime = shortest_term + kill_window + last_lines;

  StopBudget(Clock::time_point begin, Milliseconds budget) : began(begin) {
    const auto term = std::clamp(budget / 4, shortest_term, longest_term);
    // A quarter of it at most, so that a short budget is stop()'s as well.
    term_at = begin + budget - std::min(term, budget / 4);
    kill_at = term_at + term;
    gone_by = kill_at + kill_window;
  }

  Clock::time_point began;
  Clock::time_point term_at;  // Until then the plugin is asked.
  Clock::time_point kill_at;
  Clock::time_point gone_by;
};

}  // namespace supervisor::lifecycle
