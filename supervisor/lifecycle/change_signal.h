// Lets coroutines of one thread await "something changed". Level-triggered: a
// change between two waits is never lost, because the waiter names the version
// it has seen. All methods on the executor's one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <list>

namespace supervisor::lifecycle {

class ChangeSignal {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ChangeSignal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  ChangeSignal(const ChangeSignal&) = delete;
  ChangeSignal& operator=(const ChangeSignal&) = delete;

  [[nodiscard]] std::uint64_t version() const { return version_; }

  /// Wakes everyone who waits.
  void notify();

  /// Waits until version() is no longer `seen`. False when `deadline` passed
  /// first.
  boost::asio::awaitable<bool> changed_since(std::uint64_t seen,
                                             Clock::time_point deadline = Clock::time_point::max());

 private:
  boost::asio::any_io_executor executor_;
  std::uint64_t version_ = 0;
  std::list<boost::asio::steady_timer*> waiters_;
};

}  // namespace supervisor::lifecycle
