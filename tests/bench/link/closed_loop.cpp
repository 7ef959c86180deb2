#include "tests/bench/link/closed_loop.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

Measured summarise(std::vector<std::vector<float>> latencies, double seconds) {
  std::vector<float> all;
  for (auto& some : latencies) all.insert(all.end(), some.begin(), some.end());
  if (all.empty()) throw std::runtime_error("no call was answered");
  const auto at = [&](double share) {
    const auto nth = all.begin() + static_cast<std::ptrdiff_t>(share * double(all.size() - 1));
    std::nth_element(all.begin(), nth, all.end());
    return double(*nth);
  };
  return {at(0.50), at(0.99), double(all.size()) / seconds, all.size()};
}

/// The calls in flight, and where their answers are counted.
struct Loop {
  BeginCall begin;
  Clock::time_point counted_from;
  Clock::time_point until;
  std::vector<std::vector<float>> latencies;  // Per slot: one writer at a time.

  std::mutex mutex;
  std::condition_variable changed;
  int running = 0;
  bool failed = false;

  void next(std::size_t slot) {
    const auto begun = Clock::now();
    begin([this, slot, begun](bool ok) {
      const auto now = Clock::now();
      if (ok && begun >= counted_from && now < until) {
        latencies[slot].push_back(std::chrono::duration<float, std::micro>(now - begun).count());
      }
      if (ok && now < until) {
        next(slot);
        return;
      }
      const std::lock_guard lock(mutex);
      failed = failed || !ok;
      --running;
      changed.notify_all();
    });
  }
};

}  // namespace

Measured run_closed_loop(int in_flight, std::chrono::milliseconds warm_up,
                         std::chrono::milliseconds duration, const BeginCall& begin) {
  Loop loop;
  loop.begin = begin;
  loop.counted_from = Clock::now() + warm_up;
  loop.until = loop.counted_from + duration;
  loop.latencies.resize(static_cast<std::size_t>(in_flight));
  for (auto& some : loop.latencies) some.reserve(1 << 18);
  loop.running = in_flight;
  for (int slot = 0; slot < in_flight; ++slot) loop.next(static_cast<std::size_t>(slot));
  std::unique_lock lock(loop.mutex);
  if (!loop.changed.wait_until(lock, loop.until + std::chrono::seconds(20),
                               [&] { return loop.running == 0; })) {
    throw std::runtime_error("calls were not answered");
  }
  if (loop.failed) throw std::runtime_error("a call failed");
  return summarise(std::move(loop.latencies), std::chrono::duration<double>(duration).count());
}

Measured run_blocking(std::chrono::milliseconds warm_up, std::chrono::milliseconds duration,
                      const std::function<void()>& call) {
  const auto counted_from = Clock::now() + warm_up;
  const auto until = counted_from + duration;
  std::vector<std::vector<float>> latencies(1);
  for (auto begun = Clock::now(); begun < until;) {
    call();
    const auto now = Clock::now();
    if (begun >= counted_from) {
      latencies[0].push_back(std::chrono::duration<float, std::micro>(now - begun).count());
    }
    begun = now;
  }
  return summarise(std::move(latencies), std::chrono::duration<double>(duration).count());
}

}  // namespace bench
