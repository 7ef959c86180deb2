// Looks after the disk space of all launches, where no file system does: measures
// the data directories of those that may have written, refuses growth at the
// limit, and ends what grows nevertheless.
//
// One per supervisor, owned by main(); on the core thread, but measuring has a
// thread of its own. What sleeps is not measured: who has had no processor time
// has written nothing. When the file system's free space drops, all that are
// awake are measured at once. It rests in proportion to what it worked.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "supervisor/limits/launch_limits.h"

namespace supervisor::limits {

class DiskWatch {
 public:
  /// `data_dir`: what the data directories lie in.
  DiskWatch(boost::asio::any_io_executor core, std::filesystem::path data_dir)
      : core_(std::move(core)), data_dir_(std::move(data_dir)) {}
  ~DiskWatch() { measuring_.join(); }
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;

  struct Launch {
    std::weak_ptr<LaunchLimits> limits;  // It is watched while this lives.
    pid_t init = 0;                      // The ancestor of all its processes.
    std::filesystem::path directory;
    std::uint64_t largest_file = 0;  // Its RLIMIT_FSIZE while there is room; 0 = none.
    bool taken_over = false;         // An earlier supervisor may have refused it growth.
    std::function<void(const std::string& what)> say;  // For the plugin's log.
    std::function<void()> end;                         // It is over its limit; called once.
  };
  /// Measured soon; one that is full already may let no file grow from then on.
  void add(Launch launch);

  /// Run it for as long as there are launches.
  boost::asio::awaitable<void> watch_forever();

 private:
  using Clock = std::chrono::steady_clock;
  struct Watched {
    Launch launch;
    std::uint64_t number = 0;
    bool urgent = true;  // Not measured yet, or near its limit.
    Clock::time_point urgent_due{};
    std::uint64_t processor_time = 0;  // That it had had when it was last measured; 0 = never.
  };
  // One that is looked at, what was seen, and what it cost.
  struct Look {
    std::uint64_t number = 0;
    Launch launch;
    std::shared_ptr<LaunchLimits> limits;
    std::uint64_t processor_time = 0;
    bool looked_at = false;
    bool measured = false;
    DiskQuota::Verdict verdict = DiskQuota::Verdict::as_before;
    std::string said;
    std::chrono::nanoseconds cost{0};
  };
  static void look_at(std::vector<Look>& looks);
  static void measure(Look& look);
  static void act(Look& look);
  void take(const Look& look);

  boost::asio::awaitable<std::chrono::nanoseconds> look_at_all(std::vector<std::uint64_t> numbers);
  [[nodiscard]] std::vector<std::uint64_t> due(bool all) const;
  [[nodiscard]] bool space_has_dropped();
  Watched* find(std::uint64_t number);

  const boost::asio::any_io_executor core_;
  const std::filesystem::path data_dir_;
  std::vector<Watched> launches_;
  std::uint64_t last_number_ = 0;
  std::uint64_t free_bytes_ = 0;  // Of the file system, when all were last looked at.
  boost::asio::thread_pool measuring_{1};
};

}  // namespace supervisor::limits
