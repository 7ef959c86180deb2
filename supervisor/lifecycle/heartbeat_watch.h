// Beats for all workers, with one timer: a plugin that does nothing costs
// nothing but a look at its process now and then.
//
// One per supervisor, on the core thread, owned by main().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "supervisor/lifecycle/heartbeat.h"

namespace supervisor::lifecycle {

class HeartbeatWatch {
 public:
  using Clock = Heartbeat::Clock;
  /// A worker without calls is looked at once in so many beats.
  static constexpr std::size_t idle_beats = 30;

  /// `interval` is from beat to beat; 0 = there are none.
  HeartbeatWatch(boost::asio::any_io_executor core, std::chrono::milliseconds interval)
      : core_(std::move(core)), interval_(interval) {}

  /// It is watched until it ends or nobody else has it.
  void add(std::weak_ptr<Heartbeat> heartbeat) { heartbeats_.push_back(std::move(heartbeat)); }

  /// For ever.
  boost::asio::awaitable<void> beat_forever();

  /// One beat of all.
  void beat(Clock::time_point now);

 private:
  const boost::asio::any_io_executor core_;
  const std::chrono::milliseconds interval_;
  std::vector<std::weak_ptr<Heartbeat>> heartbeats_;
  Clock::time_point last_beat_ = Clock::now();
  std::size_t turn_ = 0;    // Whose turn is next,
  std::size_t credit_ = 0;  // and how many thirtieths of a turn are due.
};

}  // namespace supervisor::lifecycle
