// Forks workers: one process per runtime profile that has imported everything
// already, and that the supervisor asks for a copy of itself.
//
// Owned by main(). All methods on the core thread. When the spawner's process
// dies, the workers it forked go on (they are the supervisor's children), and
// the next order starts another.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/spawner.pb.h"
#include "supervisor/spawner/runtime_profile.h"
#include "supervisor/sys/failure.h"
#include "supervisor/sys/pidfd.h"

namespace supervisor::spawner {

/// One worker to fork. Descriptors are borrowed.
struct SpawnOrder {
  std::string plugin;  // For messages; empty = none yet.
  // What the worker executes, with all options; empty = the spawner's fork is
  // the worker.
  std::vector<std::string> command;
  std::vector<std::string> environment;  // Of the command, beside the profile's.
  int out = -1;
  int err = -1;
  // Read end of the pipe that the worker takes its WorkerAssignment from, or,
  // with a command, its token.
  int assignment = -1;
  int exit_record = -1;          // A file; see worker_init.h.
  std::vector<int> task_files;   // Of cgroups v1 that it is to be in.
  int group = -1;                // Directory of the cgroup v2 that it is to be in; -1 = none.
  std::uint32_t open_files = 0;  // Its RLIMIT_NOFILE; 0 = as the spawner's.
  // What it is to have before its assignment, as far as it can be had.
  std::vector<v1::Protection> ahead;
  v1::CommonSandbox common;  // The spawner's own, set by it.
  bool spare = false;        // It may wait long for its assignment.
};

/// What the workers of a spawner have ahead, where nothing else is asked.
struct Isolation {
  std::vector<v1::Protection> ahead;
  v1::CommonSandbox common;
};

/// What came of an order.
struct Spawned {
  sys::Pidfd init;                   // The parent of the worker; a child of ours.
  bool pid_namespace = false;        // Its end is the end of all that the worker started.
  std::vector<v1::Protection> made;  // What it has of its own.
  std::chrono::microseconds fork_time{0};
};

class SpawnerProcess;

class Spawner {
 public:
  using Clock = std::chrono::steady_clock;

  Spawner(boost::asio::any_io_executor core, RuntimeProfile profile, Isolation isolation = {});
  ~Spawner();  // The process ends by itself when its socket closes.
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  /// Starts the process now rather than with the first order.
  void warm_up();
  /// Ends the process; orders that wait for it fail. The next starts another.
  void end();

  /// The right to ask for one worker; given back when it is destroyed.
  class Place;
  /// Nobody holds a place or waits for one.
  [[nodiscard]] bool is_idle() const { return line_->length == 0; }
  /// Waits behind those who asked before, for as long as that takes: what a
  /// launch needs had better be made only then.
  boost::asio::awaitable<Place> take_place();

  /// Asks for one worker. Fails with LAUNCH_FAILED when the spawner cannot be
  /// started, refuses, dies meanwhile, or has not answered at `deadline`; a
  /// spawner that answers nobody for seconds is replaced.
  boost::asio::awaitable<Outcome<Spawned>> spawn(const Place& place, SpawnOrder order,
                                                 Clock::time_point deadline);

  /// False when its last processes all ended before they could take an order:
  /// something is wrong with the interpreter, and another try is in vain.
  [[nodiscard]] bool may_recover() const;

  [[nodiscard]] const RuntimeProfile& profile() const { return profile_; }
  [[nodiscard]] const Isolation& isolation() const { return isolation_; }
  /// 0 when there is none at the moment.
  [[nodiscard]] pid_t pid() const;

 private:
  // A fork takes a millisecond of the spawner's time: with this many waiting
  // in its socket it is never idle, and descriptors in flight are bounded
  // (unix(7), ETOOMANYREFS).
  static constexpr std::size_t max_waiting = 16;

  // Those who hold a place, and those who wait for one behind them.
  struct Line {
    explicit Line(const boost::asio::any_io_executor& core) : places(core, max_waiting) {}
    boost::asio::experimental::channel<void(boost::system::error_code)> places;
    std::size_t length = 0;
  };

  Outcome<std::shared_ptr<SpawnerProcess>> living();

  const boost::asio::any_io_executor core_;
  const RuntimeProfile profile_;
  const Isolation isolation_;
  static constexpr int most_stillborn = 2;

  const std::shared_ptr<Line> line_;
  std::shared_ptr<SpawnerProcess> process_;
  int stillborn_ = 0;  // Processes in a row, before this one, that were never ready.
};

class Spawner::Place {
 public:
  Place(Place&&) noexcept = default;
  Place& operator=(Place&&) = delete;
  ~Place();

 private:
  friend class Spawner;
  explicit Place(std::shared_ptr<Line> line) : line_(std::move(line)) { ++line_->length; }
  std::shared_ptr<Line> line_;
  bool held_ = false;  // Not only waited for.
};

}  // namespace supervisor::spawner
