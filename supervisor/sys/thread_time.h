// The processor time that this thread has had: on a machine that is busy with
// other things, the time of day would say that a look had been long.
#pragma once

#include <chrono>
#include <ctime>

namespace supervisor::sys {

inline std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace supervisor::sys
