// The calls of one link that wait for an answer, and those that nobody waits
// for but the worker still runs. Owned and locked by its
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
    std::uint64_t id;
    std::string name;
    std::string job_id;
    WorkerLink::Done done;
  };

  /// `id` must not be known().
  void add(std::uint64_t id, WorkerLink::Call call, WorkerLink::Done done);
  /// It waits, or was given up and has not been let go of.
  [[nodiscard]] bool known(std::uint64_t id) const {
    return calls_.contains(id) || given_up_.contains(id);
  }

  /// Empty when the call is unknown, was settled, or is no job.
  [[nodiscard]] std::string job_of(std::uint64_t id) const;

  /// Nothing when the id is unknown or was settled before.
  std::optional<Taken> take(std::uint64_t id);
  std::vector<Taken> take_expired(Clock::time_point now);
  std::vector<Taken> take_all();

  [[nodiscard]] std::size_t size() const { return calls_.size(); }
  /// Whether any call has a deadline.
  [[nodiscard]] bool may_expire() const;

  /// Its caller was answered, the worker has not let go of it. It counts as
  /// stuck at `stuck_at`.
  void give_up(std::uint64_t id, std::string name, Clock::time_point since,
               Clock::time_point stuck_at);
  /// The worker has let go of a call that was given up.
  void let_go(std::uint64_t id) { given_up_.erase(id); }
  struct GivenUp {
    std::string name;
    Clock::time_point since;
    Clock::time_point stuck_at;
  };
  std::optional<GivenUp> take_stuck(Clock::time_point now);
  /// Whether any given up call may become stuck.
  [[nodiscard]] bool may_get_stuck() const;
  /// Calls that take up the worker.
  [[nodiscard]] std::size_t places_taken() const { return calls_.size() + given_up_.size(); }

 private:
  struct Call {
    Clock::time_point deadline;
    Taken taken;
  };
  std::unordered_map<std::uint64_t, Call> calls_;
  std::unordered_map<std::uint64_t, GivenUp> given_up_;
};

}  // namespace supervisor::link
