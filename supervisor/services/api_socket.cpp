#include "supervisor/services/api_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/strand.hpp>

#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::services {
namespace {

using namespace std::chrono_literals;

// Whoever is refused may come again at once, and shall not fill the log.
constexpr auto tell_every = 1s;

// listen_unix() replaces a socket file: a live supervisor must be noticed first.
void refuse_if_served(const std::filesystem::path& path) {
  if (path.native().size() > sys::max_socket_path)
    throw std::runtime_error("the socket path " + path.string() + " has " +
                             std::to_string(path.native().size()) + " bytes; at most " +
                             std::to_string(sys::max_socket_path) + " work");
  if (!std::filesystem::exists(path)) return;
  try {
    const auto probe = sys::connect_unix(path);
  } catch (const std::system_error&) {
    return;  // Left over: nobody listens.
  }
  throw std::runtime_error("another supervisor serves " + path.string());
}

sys::UniqueFd listen_at(const std::filesystem::path& path, std::optional<gid_t> group) {
  refuse_if_served(path);
  auto listener = sys::listen_unix(path, 0600);
  if (!group) return listener;
  sys::checked("chown " + path.string(),
               [&] { return ::lchown(path.c_str(), static_cast<uid_t>(-1), *group); });
  std::filesystem::permissions(path, std::filesystem::perms(0660));
  return listener;
}

}  // namespace

ApiSocket::ApiSocket(const boost::asio::any_io_executor& executor, std::filesystem::path path,
                     Admission admission, Accepted accepted)
    : path_(std::move(path)),
      admission_(std::move(admission)),
      accepted_(std::move(accepted)),
      listener_(boost::asio::make_strand(executor), listen_at(path_, admission_.group()).release()),
      pause_(listener_.get_executor()) {}

void ApiSocket::open() {
  const std::lock_guard lock(mutex_);
  if (listener_.is_open()) wait();
}

void ApiSocket::wait() {
  listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                         if (!error) self->accept_all();
                       });
}

void ApiSocket::wait_a_while() {
  pause_.expires_after(100ms);
  pause_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error) self->accept_all();
  });
}

void ApiSocket::accept_all() {
  const std::lock_guard lock(mutex_);
  if (!listener_.is_open()) return;
  for (;;) {
    // accept4() rather than Asio's: see LaunchSocket.
    sys::UniqueFd fd(sys::retry_on_eintr([this] {
      return ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }));
    if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
      return wait_a_while();  // The listener would be ready at once, again and again.
    if (!fd) break;
    try {
      const auto peer = sys::peer_credentials(fd.get());
      if (const auto why = admission_.refusal(fd.get(), peer); !why.empty()) {
        tell_refused(peer, why);
      } else {
        accepted_(std::move(fd));
      }
    } catch (const std::system_error& error) {  // No descriptors are left, for example.
      logs::log_event(spdlog::level::warn, "api.accept_failed", {{"error", error.what()}});
    }
  }
  wait();
}

void ApiSocket::tell_refused(const sys::PeerCredentials& peer, const std::string& why) {
  const auto now = Clock::now();
  if (told_ != Clock::time_point{} && now - told_ < tell_every) {
    ++untold_;
    return;
  }
  told_ = now;
  logs::log_event(spdlog::level::warn, "api.refused",
                  {{"uid", peer.uid},
                   {"pid", peer.pid},
                   {"because", why},
                   {"untold", std::exchange(untold_, 0)}});
}

void ApiSocket::close() {
  const std::lock_guard lock(mutex_);
  if (!listener_.is_open()) return;
  ::unlink(path_.c_str());
  boost::system::error_code ignored;
  listener_.close(ignored);
  pause_.cancel();
}

}  // namespace supervisor::services
