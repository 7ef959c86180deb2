// Looks after the limits of all launches: samples those that no cgroup limits,
// and notices limits that others hit without dying of it.
//
// One per supervisor, on the core thread, owned by main(). It works in small
// pieces and rests in proportion to what it worked: together below one percent
// of a core, however many plugins there are, unless one of them grows fast.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "supervisor/limits/launch_limits.h"
#include "supervisor/limits/process_table.h"

namespace supervisor::limits {

class LimitWatch {
 public:
  explicit LimitWatch(boost::asio::any_io_executor core) : core_(std::move(core)) {}

  struct Launch {
    std::weak_ptr<LaunchLimits> limits;  // It is watched while this lives.
    pid_t init = 0;                      // The ancestor of all its processes.
    // Its worker has not ended, whoever may know of it: what was counted before
    // is then no cause of an end to come.
    std::function<bool()> goes_on;
    std::function<void(const std::string& what)> say;  // For the plugin's log.
    std::function<void()> end;                         // It is over its limit; called once.
  };
  void add(Launch launch) { launches_.push_back(std::move(launch)); }

  /// Run both for as long as there are launches.
  boost::asio::awaitable<void> sample_forever();
  boost::asio::awaitable<void> look_forever();

 private:
  boost::asio::awaitable<std::chrono::nanoseconds> sample_all();
  boost::asio::awaitable<std::chrono::nanoseconds> look_at_all();
  boost::asio::awaitable<std::chrono::nanoseconds> take_sample(std::size_t launch,
                                                               const ProcessTable& table);
  void forget_ended();

  const boost::asio::any_io_executor core_;
  std::vector<Launch> launches_;
};

}  // namespace supervisor::limits
