// The listening Unix socket of one launch. Accepts in Asio, checks who
// connected, and passes the connection on. Owned by its Expectation.
//
// Accepting runs on the executor given; set_pid() and close() on any thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::link {

class LaunchSocket : public std::enable_shared_from_this<LaunchSocket> {
 public:
  /// Connections a launch may make in its life. One is normal; a worker that
  /// keeps connecting must not use up the supervisor's descriptors.
  static constexpr int max_connections = 16;

  using Accepted = std::function<void(sys::UniqueFd)>;

  /// Listens at `path`, mode 0600. Throws std::system_error.
  LaunchSocket(const boost::asio::any_io_executor& executor, std::filesystem::path path,
               Accepted accepted);

  /// Begins to accept.
  void open();
  void set_pid(pid_t pid);
  /// Removes the socket and drops the connections that are held.
  void close();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  struct Held {
    sys::UniqueFd fd;
    pid_t pid;
  };
  void wait();
  void accept_all();

  const std::filesystem::path path_;
  const Accepted accepted_;
  std::mutex mutex_;
  boost::asio::posix::stream_descriptor listener_;
  std::optional<pid_t> pid_;
  std::vector<Held> held_;  // Connected before the pid was known.
  int connections_ = 0;
};

}  // namespace supervisor::link
