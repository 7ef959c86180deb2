// The calls that this worker owes an answer, and the answers it keeps: what a
// supervisor that was started after ours had died must be told.
//
// Owned by the Worker. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/worker_link.pb.h"

namespace plugin_worker {

namespace v1 = plugin_supervisor::v1;

class OwedCalls {
 public:
  /// A call has come.
  void add(const v1::Invoke& invoke);

  /// Its answer is about to be sent: nothing is owed any more, unless the
  /// result is one to keep; then a copy stays.
  void answered(const v1::Result& result);

  /// The supervisor has the result of this job where it is safe.
  void safe(const std::string& job_id);

  /// Fills `calls` and `last_call_id`.
  void tell(v1::Resumed& resumed) const;

  /// Results to be sent again.
  [[nodiscard]] std::vector<v1::WorkerFrame> kept() const;

 private:
  struct Owed {
    v1::OwedCall call;
    v1::WorkerFrame result;  // Unset until it is answered.
  };
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Owed> calls_;
  std::uint64_t last_call_id_ = 0;
};

}  // namespace plugin_worker
