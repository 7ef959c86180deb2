// How much processor time workers take, from one look at them to the next.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>

#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::cli {

/// When a look was taken: by the clock on the wall, and by one that only goes
/// forward.
struct Moment {
  std::int64_t unix_ms = 0;
  std::chrono::steady_clock::time_point steady;

  static Moment now();
};

class ProcessorUse {
 public:
  /// What is compared lies at least this far apart where it can: the
  /// supervisor itself looks once a second at most.
  static constexpr std::chrono::milliseconds window{1900};

  /// Takes in one look at all workers and forgets those that are gone.
  void note(const v1::ListWorkersResponse& workers, const Moment& now);

  /// Per cent of one processor, from the looks that were noted; after the
  /// first the average since the worker was started. 0 without a process.
  [[nodiscard]] double percent(const std::string& key) const;

 private:
  struct Look {
    std::chrono::steady_clock::time_point at;
    double cpu_seconds;
  };
  struct Trail {
    std::uint64_t generation = 0;
    double since_start = 0;  // Per cent.
    std::deque<Look> looks;  // Oldest first.
  };

  std::map<std::string, Trail> trails_;
};

}  // namespace supervisor::cli
