// Workers that have been forked before anybody wants them: a start that takes
// one has only to tell it which plugin to load. A few for each spawner that has
// been used; made again when a start is over and the spawner has nothing else to
// do, so that they delay nobody.
//
// A spare runs no plugin's code, and ends when its pipe does: with the
// supervisor, at the latest. One per supervisor, built by main(); on the core
// thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "supervisor/lifecycle/change_signal.h"
#include "supervisor/lifecycle/launch.h"
#include "supervisor/lifecycle/launch_numbers.h"
#include "supervisor/limits/limit_support.h"
#include "supervisor/limits/limits.h"
#include "supervisor/spawner/profile_set.h"

namespace supervisor::lifecycle {

class SpareWorkers {
 public:
  struct Options {
    unsigned count = 1;  // For each spawner; 0 = none.
    std::filesystem::path runtime_dir;
    limits::Limits limits;  // Of plugins for which nothing else is set.
    std::string instance;   // Differs between supervisors; in the names of groups.
  };

  SpareWorkers(boost::asio::any_io_executor core, Options options,
               const limits::LimitSupport& support, LaunchNumbers& numbers);
  SpareWorkers(const SpareWorkers&) = delete;
  SpareWorkers& operator=(const SpareWorkers&) = delete;

  /// One for a plugin of this runtime and with these limits, if there is one;
  /// it is the caller's then. None for an interpreter of its own, or for other
  /// limits than the default: its groups have been made.
  std::optional<Launch> take(const spawner::Runtime& runtime, const limits::Limits& limits);

  /// Makes what is missing of this runtime, when its spawner is idle. A spare
  /// that is ended by somebody is replaced without being asked.
  void replenish(const spawner::Runtime& runtime);

  /// Ends those of spawners that are no more: their profile has changed.
  void drop_outdated();

  /// Makes no more, and ends all, with the spawners that are making one. Returns
  /// when they have ended, or at `deadline`.
  boost::asio::awaitable<void> close(std::chrono::steady_clock::time_point deadline);

 private:
  struct Waiting {
    std::uint64_t number;
    Launch launch;
    boost::asio::posix::stream_descriptor end;  // Of its init, a descriptor of its own.
    std::chrono::steady_clock::time_point since;
  };
  struct Spares {
    std::list<Waiting> waiting;
    bool making = false;
  };
  using Clock = std::chrono::steady_clock;
  using OfSpawner = std::weak_ptr<spawner::Spawner>;

  void replenish(const std::shared_ptr<spawner::Spawner>& spawner);
  void add(const OfSpawner& of, Launch launch);
  void lose(const OfSpawner& of, std::uint64_t number);
  [[nodiscard]] unsigned wanted() const;
  [[nodiscard]] bool is_making() const;
  boost::asio::awaitable<void> make_missing(std::shared_ptr<spawner::Spawner> spawner);
  boost::asio::awaitable<Outcome<Launch>> make_one(spawner::Spawner& spawner);

  const boost::asio::any_io_executor core_;
  const Options options_;
  const limits::LimitSupport& support_;
  LaunchNumbers& numbers_;
  ChangeSignal made_;  // Or failed to be.
  bool closed_ = false;
  std::uint64_t last_number_ = 0;
  std::map<OfSpawner, Spares, std::owner_less<>> spares_;
};

}  // namespace supervisor::lifecycle
