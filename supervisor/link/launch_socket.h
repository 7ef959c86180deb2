// The listening Unix socket of one launch. Accepts in Asio, checks who
// connected, and passes the connection on. Owned by its Expectation.
//
// Accepting runs on the executor given; the other methods on any thread.
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
  /// Lets in the process `pid` alone.
  void set_pid(pid_t pid);
  /// Lets in children of `pid` alone: a worker is known by its init.
  void set_parent(pid_t pid);
  /// Who was let in last; 0 when nobody was.
  [[nodiscard]] pid_t peer_pid() const;
  /// Removes the socket and drops the connections that are held.
  void close();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  struct Held {
    sys::UniqueFd fd;
    pid_t pid;
  };
  /// Who may connect: a process, or the children of one.
  struct Allowed {
    pid_t pid;
    bool its_children;
  };
  void wait();
  void accept_all();
  void allow(Allowed allowed);
  [[nodiscard]] bool is_allowed(pid_t peer) const;  // Locked.

  const std::filesystem::path path_;
  const Accepted accepted_;
  mutable std::mutex mutex_;
  boost::asio::posix::stream_descriptor listener_;
  std::optional<Allowed> allowed_;
  pid_t peer_pid_ = 0;
  std::vector<Held> held_;  // Connected before it was known who may.
  int connections_ = 0;
};

}  // namespace supervisor::link
