#include "supervisor/lifecycle/heartbeat_watch.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> HeartbeatWatch::beat_forever() {
  if (interval_ == 0ms) co_return;
  asio::steady_timer timer(core_);
  for (;;) {
    timer.expires_after(interval_);
    co_await timer.async_wait(asio::use_awaitable);
    beat(Clock::now());
  }
}

void HeartbeatWatch::beat(Clock::time_point now) {
  // A beat that comes late counts like one that came in time: see Heartbeat.
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - last_beat_);
  const auto counted = std::clamp(since, 0ms, interval_);
  last_beat_ = now;
  std::vector<std::shared_ptr<Heartbeat>> living;
  living.reserve(heartbeats_.size());
  std::erase_if(heartbeats_, [&](const auto& known) {
    auto heartbeat = known.lock();
    if (!heartbeat || heartbeat->ended()) return true;
    living.push_back(std::move(heartbeat));
    return false;
  });
  if (living.empty()) return;
  credit_ += living.size();
  const std::size_t turns = credit_ / idle_beats;
  credit_ %= idle_beats;
  if (turn_ >= living.size()) turn_ = 0;
  const std::size_t first = turn_;
  turn_ = (turn_ + turns) % living.size();
  for (std::size_t i = 0; i < living.size(); ++i) {
    const std::size_t behind = (i + living.size() - first) % living.size();
    living[i]->beat(now, counted, behind < turns);
  }
}

}  // namespace supervisor::lifecycle
