#include "worker_shim/native/owed_calls.h"

#include <algorithm>

namespace plugin_worker {

void OwedCalls::add(const v1::Invoke& invoke) {
  Owed owed;
  owed.call.set_call_id(invoke.call_id());
  owed.call.set_name(invoke.name());
  owed.call.set_job_id(invoke.job_id());
  owed.call.set_keep_result(invoke.keep_result());
  const std::lock_guard lock(mutex_);
  last_call_id_ = std::max(last_call_id_, invoke.call_id());
  calls_.insert_or_assign(invoke.call_id(), std::move(owed));
}

void OwedCalls::answered(const v1::Result& result) {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(result.call_id());
  if (found == calls_.end()) return;
  if (found->second.call.keep_result()) {
    *found->second.result.mutable_result() = result;
  } else {
    calls_.erase(found);
  }
}

void OwedCalls::safe(const std::string& job_id) {
  const std::lock_guard lock(mutex_);
  for (auto entry = calls_.begin(); entry != calls_.end();) {
    const auto here = entry++;
    auto& owed = here->second;
    if (owed.call.job_id() != job_id) continue;
    if (owed.result.has_result()) {
      calls_.erase(here);
    } else {
      // It was given up and has not let go yet: nobody will ask for its result.
      owed.call.set_keep_result(false);
    }
  }
}

void OwedCalls::tell(v1::Resumed& resumed) const {
  const std::lock_guard lock(mutex_);
  resumed.set_last_call_id(last_call_id_);
  for (const auto& [id, owed] : calls_) *resumed.add_calls() = owed.call;
}

std::vector<v1::WorkerFrame> OwedCalls::kept() const {
  const std::lock_guard lock(mutex_);
  std::vector<v1::WorkerFrame> frames;
  for (const auto& [id, owed] : calls_) {
    if (owed.result.has_result()) frames.push_back(owed.result);
  }
  return frames;
}

}  // namespace plugin_worker
