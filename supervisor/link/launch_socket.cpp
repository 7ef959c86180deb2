#include "supervisor/link/launch_socket.h"

#include <sys/socket.h>

#include <boost/asio/strand.hpp>

#include "supervisor/sys/process_stat.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unix_socket.h"

namespace supervisor::link {

LaunchSocket::LaunchSocket(const boost::asio::any_io_executor& executor, std::filesystem::path path,
                           Accepted accepted)
    : path_(std::move(path)),
      accepted_(std::move(accepted)),
      listener_(boost::asio::make_strand(executor), sys::listen_unix(path_, 0600).release()) {}

void LaunchSocket::open() {
  const std::lock_guard lock(mutex_);
  wait();
}

void LaunchSocket::wait() {
  // accept4() is ours rather than Asio's, which would make descriptors that a
  // process launched at the same moment inherits.
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (!error) self->accept_all();
                       });
}

void LaunchSocket::accept_all() {
  std::vector<sys::UniqueFd> good;
  {
    const std::lock_guard lock(mutex_);
    if (!listener_.is_open()) return;
    while (connections_ < max_connections) {
      sys::UniqueFd fd(sys::retry_on_eintr([this] {
        return ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      }));
      if (!fd) break;
      ++connections_;
      const auto peer = sys::peer_credentials(fd.get());
      if (!allowed_) {
        held_.push_back({std::move(fd), peer.pid});
      } else if (is_allowed(peer.pid)) {
        peer_pid_ = peer.pid;
        good.push_back(std::move(fd));
      }
    }
    if (connections_ < max_connections) wait();
  }
  for (auto& fd : good) accepted_(std::move(fd));
}

bool LaunchSocket::is_allowed(pid_t peer) const {
  if (!allowed_->its_children) return peer == allowed_->pid;
  const auto stat = sys::process_stat(peer);
  return stat && stat->parent == allowed_->pid;
}

void LaunchSocket::allow(Allowed allowed) {
  std::vector<sys::UniqueFd> good;
  {
    const std::lock_guard lock(mutex_);
    allowed_ = allowed;
    if (!listener_.is_open()) return;
    for (auto& connection : held_) {
      if (!is_allowed(connection.pid)) continue;
      peer_pid_ = connection.pid;
      good.push_back(std::move(connection.fd));
    }
    held_.clear();
  }
  for (auto& fd : good) accepted_(std::move(fd));
}

void LaunchSocket::set_pid(pid_t pid) { allow({pid, false}); }

void LaunchSocket::set_parent(pid_t pid) { allow({pid, true}); }

pid_t LaunchSocket::peer_pid() const {
  const std::lock_guard lock(mutex_);
  return peer_pid_;
}

void LaunchSocket::close() {
  const std::lock_guard lock(mutex_);
  if (!listener_.is_open()) return;
  ::unlink(path_.c_str());
  boost::system::error_code ignored;
  listener_.close(ignored);
  held_.clear();
}

}  // namespace supervisor::link
