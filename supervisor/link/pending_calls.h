// The calls of one link that wait for an answer. Owned and locked by its
// StreamLink; settling happens outside that lock, with what is taken here.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "supervisor/link/worker_link.h"

namespace supervisor::link {

class PendingCalls {
 public:
  using Clock = WorkerLink::Clock;

  /// A call that is nobody's any more but the taker's, who must settle it.
  struct Taken {
    std::string name;
    WorkerLink::Done done;
  };

  void add(std::uint64_t id, std::string name, Clock::time_point deadline, WorkerLink::Done done);

  /// Nothing when the id is unknown or was settled before.
  std::optional<Taken> take(std::uint64_t id);
  std::vector<Taken> take_expired(Clock::time_point now);
  std::vector<Taken> take_all();

  [[nodiscard]] std::size_t size() const { return calls_.size(); }

 private:
  struct Call {
    Clock::time_point deadline;
    Taken taken;
  };
  std::unordered_map<std::uint64_t, Call> calls_;
};

}  // namespace supervisor::link
