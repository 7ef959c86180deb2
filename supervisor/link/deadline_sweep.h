// Deadlines without a timer per call: while anything has one, a tick looks for
// what is over. A call thus ends up to one tick late, and arming costs the hot
// path one atomic exchange.
//
// Owned by the LinkServer. watch() and wake() may be called on any thread; the
// tick runs on the executor given.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

namespace supervisor::link {

/// Something with deadlines.
class Expiring {
 public:
  virtual ~Expiring() = default;
  /// Ends what is due at `now`. True while more may become due.
  virtual bool expire(std::chrono::steady_clock::time_point now) = 0;
};

class DeadlineSweep : public std::enable_shared_from_this<DeadlineSweep> {
 public:
  static constexpr std::chrono::milliseconds tick{25};

  explicit DeadlineSweep(const boost::asio::any_io_executor& executor);

  /// Looks at `thing` at every tick for as long as it lives.
  void watch(std::weak_ptr<Expiring> thing);

  /// Something got a deadline: tick until nothing has one.
  void wake();

  /// No tick after this one returns, save one that runs already.
  void end();

 private:
  void arm();
  void sweep();

  boost::asio::steady_timer timer_;  // Touched on its strand only.
  std::atomic<bool> armed_ = false;
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;
  std::vector<std::weak_ptr<Expiring>> things_;
};

}  // namespace supervisor::link
