#include "supervisor/sys/service_notice.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "supervisor/sys/syscall.h"

namespace supervisor::sys {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

}  // namespace

ServiceNotice::ServiceNotice() : address_(take_variable("NOTIFY_SOCKET")) {
  const auto watchdog = take_variable("WATCHDOG_USEC");
  const auto watched = take_variable("WATCHDOG_PID");
  if (address_.empty() || (address_.front() != '/' && address_.front() != '@') ||
      address_.size() >= sizeof(sockaddr_un::sun_path)) {
    address_.clear();
    return;
  }
  socket_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const long long microseconds = std::atoll(watchdog.c_str());
  if (microseconds > 0 && (watched.empty() || watched == std::to_string(::getpid())))
    watchdog_interval_ = std::chrono::microseconds(microseconds / 2);
}

void ServiceNotice::send(const std::string& message) {
  if (address_.empty() || !socket_) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  // '@' stands for the NUL of an abstract address.
  if (address_.front() == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // Nothing to be done when it fails: the service manager is away, or busy.
  retry_on_eintr([&] {
    return ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                    reinterpret_cast<const sockaddr*>(&to), size);
  });
}

}  // namespace supervisor::sys
