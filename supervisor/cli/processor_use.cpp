#include "supervisor/cli/processor_use.h"

#include <algorithm>
#include <utility>

#include "supervisor/sys/unix_time.h"

namespace supervisor::cli {

Moment Moment::now() { return {sys::unix_ms(), std::chrono::steady_clock::now()}; }

void ProcessorUse::note(const v1::ListWorkersResponse& workers, const Moment& now) {
  auto before = std::exchange(trails_, {});
  for (const auto& row : workers.rows()) {
    const v1::Worker& worker = row.worker();
    if (worker.pid() == 0) continue;
    Trail& trail = trails_[row.key()];
    const auto known = before.find(row.key());
    if (known != before.end() && known->second.generation == worker.generation())
      trail = std::move(known->second);
    trail.generation = worker.generation();
    const auto lived_ms = std::max<std::int64_t>(1, now.unix_ms - worker.started_at_unix_ms());
    trail.since_start = 100 * worker.cpu_seconds() * 1000 / static_cast<double>(lived_ms);
    trail.looks.push_back({now.steady, worker.cpu_seconds()});
    while (trail.looks.size() > 2 && now.steady - trail.looks[1].at >= window)
      trail.looks.pop_front();
  }
}

double ProcessorUse::percent(const std::string& key) const {
  const auto found = trails_.find(key);
  if (found == trails_.end()) return 0;
  const Trail& trail = found->second;
  const Look& first = trail.looks.front();
  const Look& last = trail.looks.back();
  const std::chrono::duration<double> apart = last.at - first.at;
  if (apart.count() <= 0) return trail.since_start;
  return std::max(0.0, 100 * (last.cpu_seconds - first.cpu_seconds) / apart.count());
}

}  // namespace supervisor::cli
