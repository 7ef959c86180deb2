// What Python code of this worker asks of the host, and waits for: each call
// has a number until its answer is taken or nobody waits for it any more.
//
// Owned by the Worker. Thread-safe; knows nothing of Python: wait() must be
// called without the GIL.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

class HostCalls {
 public:
  /// Calls that may wait at once; the supervisor has a bound of its own.
  static constexpr std::size_t max_open = 32;

  /// The number of a new call; 0 when too many wait.
  std::uint64_t open();

  enum class Waited { answered, not_yet, lost };
  /// Waits for the answer, for `patience` at most. When it is there, or the
  /// link that would have brought it is not, the call is over.
  Waited wait(std::uint64_t call_id, std::chrono::milliseconds patience, v1::HostAnswer& answer);

  /// Nobody waits for it any more.
  void forget(std::uint64_t call_id);

  /// By whoever polls the link. An answer that nobody waits for is dropped.
  void take(v1::HostAnswer&& answer);

  /// The link has ended: calls that wait will not be answered.
  void lose_all();

 private:
  struct Open {
    std::optional<v1::HostAnswer> answer;
    bool lost = false;
  };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Open> open_;
  std::uint64_t last_id_ = 0;
};

}  // namespace plugin_worker
