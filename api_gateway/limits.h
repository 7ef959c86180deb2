// What a client may take: bytes, time and connections.
#pragma once

#include <chrono>
#include <cstddef>

namespace gateway {

struct Limits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 10 * 1024 * 1024;
  std::size_t connections = 1024;
  /// From the first byte of a request to the end of its head.
  std::chrono::milliseconds header_time{10'000};
  /// How long a connection may stay open between two requests; also the grace
  /// for a body or an answer on its way, on top of transfer_time().
  std::chrono::milliseconds idle_time{60'000};
  /// How long a closed connection is read on, so that the client sees the last
  /// answer and not a reset (a reset discards what it has not read yet).
  std::chrono::milliseconds linger_time{2'000};
  /// What a connection may still send while lingering.
  std::size_t linger_bytes = 1024 * 1024;

  /// What `bytes` may take on a slow but honest line, 16 KiB/s.
  static std::chrono::milliseconds transfer_time(std::size_t bytes) {
    return std::chrono::milliseconds(bytes / 16);
  }
  /// How often deadlines and clients that hung up are looked for.
  [[nodiscard]] std::chrono::milliseconds sweep_interval() const {
    const auto shortest = header_time < idle_time ? header_time : idle_time;
    const std::chrono::milliseconds longest_wait(100);
    const std::chrono::milliseconds interval = shortest / 4;
    if (interval > longest_wait) return longest_wait;
    return interval.count() < 5 ? std::chrono::milliseconds(5) : interval;
  }
};

}  // namespace gateway
