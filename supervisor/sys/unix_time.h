// The time of day, as contracts and database rows carry it.
#pragma once

#include <chrono>
#include <cstdint>

namespace supervisor::sys {

template <typename Unit>
std::int64_t unix_time() {
  return std::chrono::duration_cast<Unit>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline std::int64_t unix_ms() { return unix_time<std::chrono::milliseconds>(); }
inline std::int64_t unix_us() { return unix_time<std::chrono::microseconds>(); }

}  // namespace supervisor::sys
