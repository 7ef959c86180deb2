// A closed loop: a fixed number of calls in flight, each begun by the answer
// to the one before it, on whichever thread that came.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

namespace bench {

struct Measured {
  double p50_us = 0;
  double p99_us = 0;
  double per_second = 0;
  std::size_t calls = 0;
};

/// Begins one call; `done(ok)` is called once when it is answered.
using BeginCall = std::function<void(std::function<void(bool ok)> done)>;

/// Throws std::runtime_error when a call fails or answers stay out.
Measured run_closed_loop(int in_flight, std::chrono::milliseconds warm_up,
                         std::chrono::milliseconds duration, const BeginCall& begin);

/// One call after the other, each returning when it is answered.
Measured run_blocking(std::chrono::milliseconds warm_up, std::chrono::milliseconds duration,
                      const std::function<void()>& call);

}  // namespace bench
