#include "supervisor/link/pending_calls.h"

namespace supervisor::link {

void PendingCalls::add(std::uint64_t id, WorkerLink::Call call, WorkerLink::Done done) {
  calls_.emplace(
      id, Call{call.deadline, {id, std::move(call.name), std::move(call.job_id), std::move(done)}});
}

std::string PendingCalls::job_of(std::uint64_t id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? std::string() : found->second.taken.job_id;
}

std::optional<PendingCalls::Taken> PendingCalls::take(std::uint64_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return std::nullopt;
  std::optional<Taken> taken(std::move(found->second.taken));
  calls_.erase(found);
  return taken;
}

std::vector<PendingCalls::Taken> PendingCalls::take_expired(Clock::time_point now) {
  std::vector<Taken> expired;
  for (auto call = calls_.begin(); call != calls_.end();) {
    if (call->second.deadline > now) {
      ++call;
      continue;
    }
    expired.push_back(std::move(call->second.taken));
    call = calls_.erase(call);
  }
  return expired;
}

bool PendingCalls::may_expire() const {
  for (const auto& [id, call] : calls_) {
    if (call.deadline != Clock::time_point::max()) return true;
  }
  return false;
}

std::vector<PendingCalls::Taken> PendingCalls::take_all() {
  std::vector<Taken> all;
  all.reserve(calls_.size());
  for (auto& [id, call] : calls_) all.push_back(std::move(call.taken));
  calls_.clear();
  given_up_.clear();
  return all;
}

void PendingCalls::give_up(std::uint64_t id, std::string name, Clock::time_point since,
                           Clock::time_point stuck_at) {
  given_up_.emplace(id, GivenUp{std::move(name), since, stuck_at});
}

std::optional<PendingCalls::GivenUp> PendingCalls::take_stuck(Clock::time_point now) {
  for (auto call = given_up_.begin(); call != given_up_.end(); ++call) {
    if (call->second.stuck_at > now) continue;
    std::optional<GivenUp> stuck(std::move(call->second));
    given_up_.erase(call);
    return stuck;
  }
  return std::nullopt;
}

bool PendingCalls::may_get_stuck() const {
  for (const auto& [id, call] : given_up_) {
    if (call.stuck_at != Clock::time_point::max()) return true;
  }
  return false;
}

}  // namespace supervisor::link
