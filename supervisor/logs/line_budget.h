// How much one plugin may log: so many lines and bytes per second, and a burst
// beyond that. A pure object with the clock passed in; locked by its LogBook.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace supervisor::logs {

/// 0 = no limit.
struct LineRate {
  std::uint32_t lines_per_second = 1000;
  std::uint64_t bytes_per_second = 1u << 20;
  /// So many seconds' worth may come at once.
  std::chrono::milliseconds burst{5000};
};

class LineBudget {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LineBudget(LineRate rate);

  /// Whether a line of `bytes` bytes may be kept at `now`; if so, it is paid for.
  bool spend(std::size_t bytes, Clock::time_point now);

 private:
  void refill(Clock::time_point now);

  const LineRate rate_;
  double lines_;  // That may come now.
  double bytes_;
  Clock::time_point refilled_{};
};

}  // namespace supervisor::logs
