// The supervisor's own listening Unix socket. Accepts in Asio, looks who
// connected, and passes the connection on. Owned by the ApiServer.
//
// Accepting runs on the executor given; the other methods on any thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>

#include "supervisor/services/admission.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::services {

class ApiSocket : public std::enable_shared_from_this<ApiSocket> {
 public:
  using Accepted = std::function<void(sys::UniqueFd)>;

  /// Listens at `path`: mode 0600, or 0660 for the group that is admitted.
  /// `accepted` must return at once. Throws std::runtime_error when another
  /// supervisor serves there, or the socket cannot be made.
  ApiSocket(const boost::asio::any_io_executor& executor, std::filesystem::path path,
            Admission admission, Accepted accepted);

  /// Begins to accept; who came before has waited.
  void open();
  /// Removes the socket. Nothing is accepted any more once this returns.
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  void wait();
  void wait_a_while();
  void accept_all();
  void tell_refused(const sys::PeerCredentials& peer, const std::string& why);  // Locked.

  const std::filesystem::path path_;
  const Admission admission_;
  const Accepted accepted_;
  std::mutex mutex_;
  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer pause_;  // When there is no descriptor to be had.
  Clock::time_point told_;           // When the last refusal was logged,
  std::uint64_t untold_ = 0;         // and how many were not since.
};

}  // namespace supervisor::services
