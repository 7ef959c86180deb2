// How much a worker may say: so many frames and bytes per second, and a second's
// worth beyond that at once. Who says more is not read from for as long as it
// takes; what it has to say waits on its own side. A pure object with the clock
// passed in; of one stream, which calls it from one place at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "plugin_supervisor/v1/worker_link.pb.h"

namespace supervisor::link {

/// 0 = no limit.
struct LinkRate {
  std::uint64_t frames_per_second = 250'000;
  std::uint64_t bytes_per_second = 256u << 20;
};

/// What a batch costs, in frames: some give the supervisor more to do than
/// others.
std::uint64_t cost_of(const plugin_supervisor::v1::WorkerBatch& batch);

class LinkBudget {
 public:
  using Clock = std::chrono::steady_clock;
  /// A worker that owes more is read from again all the same: its heartbeat
  /// must be heard.
  static constexpr std::chrono::seconds longest_wait{1};

  explicit LinkBudget(LinkRate rate);

  /// Pays for what has come at `now`; for how long the next is not to be read.
  Clock::duration spend(std::uint64_t frames, std::size_t bytes, Clock::time_point now);

 private:
  const LinkRate rate_;
  double frames_;  // That may come now; less than none when more has come.
  double bytes_;
  Clock::time_point refilled_{};
};

}  // namespace supervisor::link
