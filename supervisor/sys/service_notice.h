// Tells the service manager (systemd) how this daemon is, by the protocol of
// sd_notify(3): a datagram to the socket in NOTIFY_SOCKET.
//
// Not libsystemd: for these thirty lines it would bring four compression and
// crypto libraries into a process that starts other people's code.
//
// Owned by main(). Sending is thread-safe and never blocks for long; without a
// service manager nothing happens.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::sys {

class ServiceNotice {
 public:
  /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment,
  /// so that nothing started later speaks in our name. Before other threads.
  ServiceNotice();

  void ready() { send("READY=1"); }
  void stopping() { send("STOPPING=1"); }
  /// This process is well. To be said at least every watchdog_interval().
  void alive() { send("WATCHDOG=1"); }

  /// Half of the time after which the service manager ends a daemon that has
  /// said nothing; nothing when it does not look.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const {
    return watchdog_interval_;
  }

 private:
  void send(const std::string& message);

  std::string address_;  // As in NOTIFY_SOCKET; empty when there is none.
  UniqueFd socket_;
  std::optional<std::chrono::microseconds> watchdog_interval_;
};

}  // namespace supervisor::sys
