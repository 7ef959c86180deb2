// One life of a spawner's process and the control socket to it.
//
// Shared by the Spawner and by the coroutines that read from the process, which
// end when it does. All on the core thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/spawner.pb.h"
#include "supervisor/spawner/spawner.h"

namespace supervisor::spawner {

class SpawnerProcess : public std::enable_shared_from_this<SpawnerProcess> {
 public:
  using Clock = std::chrono::steady_clock;

  /// Launches the interpreter; LAUNCH_FAILED when that is impossible. With
  /// `own_privileges` in a user namespace, where that can be had.
  static Outcome<std::shared_ptr<SpawnerProcess>> start(const boost::asio::any_io_executor& core,
                                                        const RuntimeProfile& profile,
                                                        bool own_privileges);
  SpawnerProcess(const SpawnerProcess&) = delete;
  SpawnerProcess& operator=(const SpawnerProcess&) = delete;
  ~SpawnerProcess();

  boost::asio::awaitable<Outcome<Spawned>> spawn(SpawnOrder order, Clock::time_point deadline);

  [[nodiscard]] bool is_over() const { return over_; }
  /// It has imported what it preloads, and takes orders.
  [[nodiscard]] bool was_ready() const { return ready_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  /// Ends it; orders that wait for it fail.
  void end();

 private:
  struct Answer {
    v1::SpawnReply reply;
    sys::UniqueFd pidfd;
  };
  struct Waiting {
    explicit Waiting(const boost::asio::any_io_executor& core) : timer(core) {}
    const Clock::time_point since = Clock::now();
    boost::asio::steady_timer timer;
    std::optional<Answer> answer;
  };

  SpawnerProcess(const boost::asio::any_io_executor& core, std::string profile);
  void open(sys::Pidfd process, sys::UniqueFd control, sys::UniqueFd output);
  boost::asio::awaitable<void> read_control();
  boost::asio::awaitable<void> read_output();
  boost::asio::awaitable<void> reap();
  boost::asio::awaitable<void> answered(Waiting& waiting, Clock::time_point deadline);
  [[nodiscard]] Clock::time_point patience_ends(const Waiting& waiting) const;
  [[nodiscard]] bool is_stuck(const Waiting& waiting, Clock::time_point deadline) const;
  boost::asio::awaitable<bool> send(const v1::SpawnRequest& request, const SpawnOrder& order,
                                    Clock::time_point deadline);
  bool receive_all();
  void take(const v1::SpawnerMessage& message, sys::UniqueFd pidfd);
  [[nodiscard]] Failure failed(const std::string& why, const std::string& plugin) const;

  const boost::asio::any_io_executor core_;
  const std::string profile_;
  sys::Pidfd process_;
  std::optional<boost::asio::posix::stream_descriptor> control_;
  std::optional<boost::asio::posix::stream_descriptor> output_;
  std::optional<boost::asio::posix::stream_descriptor> exit_;
  bool over_ = false;
  bool ready_ = false;
  Clock::time_point last_heard_ = Clock::now();
  bool pid_namespaces_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Waiting*> waiting_;
  std::deque<std::string> last_lines_;  // What it printed, as evidence.
};

}  // namespace supervisor::spawner
