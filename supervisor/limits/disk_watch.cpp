#include "supervisor/limits/disk_watch.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/limits/file_growth.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/thread_time.h"

namespace supervisor::limits {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// One part of work, so many parts of rest.
constexpr int rest_after_all = 500;
constexpr int rest_in_haste = 10;  // When the disk fills, or somebody is near its limit.
constexpr auto beat = 100ms;
constexpr auto quick_beat = 25ms;  // While somebody is near its limit, and awake.
constexpr auto soonest_round = 1s;
constexpr auto latest = 30s;
constexpr std::size_t piece = 64;  // Looked at between two turns of others.

std::vector<pid_t> processes_of(const LaunchLimits& limits, pid_t init) {
  auto found = limits.processes();
  if (!found) return sys::descendants_of(init);
  std::erase(*found, init);
  return *found;
}

/// The data directory belongs to whom the processes belong to.
GrowthSubject subject_of(const DiskWatch::Launch& launch,
                         const std::shared_ptr<LaunchLimits>& limits) {
  GrowthSubject subject;
  subject.processes = [limits, init = launch.init] { return processes_of(*limits, init); };
  struct stat status {};
  if (::stat(launch.directory.c_str(), &status) == 0) {
    subject.user = status.st_uid;
    subject.group = status.st_gid;
  }
  return subject;
}

}  // namespace

void DiskWatch::add(Launch launch) {
  const auto limits = launch.limits.lock();
  if (!limits || limits->disk().bytes() == 0) return;
  auto& added = launches_.emplace_back();
  added.launch = std::move(launch);
  added.number = ++last_number_;
}

DiskWatch::Watched* DiskWatch::find(std::uint64_t number) {
  const auto found =
      std::lower_bound(launches_.begin(), launches_.end(), number,
                       [](const Watched& one, std::uint64_t that) { return one.number < that; });
  return found == launches_.end() || found->number != number ? nullptr : &*found;
}

// On the measuring thread. Up to the first that had to be measured: what comes of
// that is not to wait for others.
void DiskWatch::look_at(std::vector<Look>& looks) {
  for (auto& look : looks) {
    const auto began = sys::thread_time();
    const auto before = look.processor_time;
    // Read before: what it writes while it is measured is for the next time.
    look.processor_time = look.limits->processor_time_us().value_or(before + 1);
    look.looked_at = true;
    look.measured = look.processor_time != before;
    if (look.measured) measure(look);
    if (look.measured && before == 0 && look.launch.taken_over && !look.limits->disk().is_full())
      allow_growth(subject_of(look.launch, look.limits), look.launch.largest_file);
    look.cost = sys::thread_time() - began;
    if (look.measured) return;
  }
}

void DiskWatch::measure(Look& look) {
  auto use = directory_use(look.launch.directory);
  use.bytes += held_bytes(look.launch.directory, processes_of(*look.limits, look.launch.init));
  look.verdict = look.limits->take_disk_use(use);
  act(look);
}

void DiskWatch::act(Look& look) {
  auto& quota = look.limits->disk();
  const auto limit = bytes_text(quota.bytes());
  switch (look.verdict) {
    case DiskQuota::Verdict::as_before:
      return;
    case DiskQuota::Verdict::full:
      if (!refuse_growth(subject_of(look.launch, look.limits))) quota.growth_was_not_refused();
      look.said = "its data directory is full: it may take " + limit +
                  ". Until something is removed, files that would grow are refused with EFBIG "
                  "(File too large)";
      return;
    case DiskQuota::Verdict::room:
      allow_growth(subject_of(look.launch, look.limits), look.launch.largest_file);
      look.said = "its data directory has room again, of " + limit + "; files may grow";
      return;
    case DiskQuota::Verdict::over:
      if (const auto failure = quota.failure()) look.said = failure->message();
  }
}

void DiskWatch::take(const Look& look) {
  if (auto* watched = find(look.number)) {
    watched->processor_time = look.processor_time;
    watched->urgent = look.measured && look.limits->disk().is_near();
    watched->urgent_due =
        Clock::now() + std::clamp<Clock::duration>(look.cost * rest_in_haste, quick_beat, latest);
  }
  if (!look.said.empty()) look.launch.say(look.said);
  if (look.verdict == DiskQuota::Verdict::over) look.launch.end();
}

asio::awaitable<std::chrono::nanoseconds> DiskWatch::look_at_all(
    std::vector<std::uint64_t> numbers) {
  std::chrono::nanoseconds worked{0};
  for (std::size_t next = 0; next < numbers.size();) {
    std::vector<Look> looks;
    for (std::size_t i = next; i < numbers.size() && looks.size() < piece; ++i) {
      const auto* watched = find(numbers[i]);
      auto limits = watched == nullptr ? nullptr : watched->launch.limits.lock();
      if (!limits) continue;
      auto& look = looks.emplace_back();
      look.number = numbers[i];
      look.launch = watched->launch;
      look.limits = std::move(limits);
      look.processor_time = watched->processor_time;
    }
    if (looks.empty()) break;
    // Named before it meets a co_await; see plugin_registry.cpp.
    auto there = [&looks]() -> asio::awaitable<void> {
      look_at(looks);
      co_return;
    };
    co_await asio::co_spawn(measuring_, std::move(there), asio::use_awaitable);
    for (const auto& look : looks) {
      if (!look.looked_at) break;
      worked += look.cost;
      take(look);
      next = static_cast<std::size_t>(
          std::upper_bound(numbers.begin(), numbers.end(), look.number) - numbers.begin());
    }
  }
  co_return worked;
}

std::vector<std::uint64_t> DiskWatch::due(bool all) const {
  std::vector<std::uint64_t> numbers;
  const auto now = Clock::now();
  for (const auto& watched : launches_)
    if (all || (watched.urgent && watched.urgent_due <= now)) numbers.push_back(watched.number);
  return numbers;
}

// By so much that a plugin may have come to its limit with it.
bool DiskWatch::space_has_dropped() {
  struct statvfs status {};
  if (launches_.empty() || ::statvfs(data_dir_.c_str(), &status) != 0) return false;
  std::uint64_t smallest = ~std::uint64_t{0};
  for (const auto& watched : launches_)
    if (const auto limits = watched.launch.limits.lock())
      smallest = std::min(smallest, limits->disk().bytes());
  const std::uint64_t free = status.f_bfree * status.f_frsize;
  const bool dropped = free + smallest / 8 < free_bytes_;
  if (dropped || free > free_bytes_) free_bytes_ = free;
  return dropped;
}

asio::awaitable<void> DiskWatch::watch_forever() {
  asio::steady_timer timer(core_);
  auto round_due = Clock::now();
  auto haste_due = Clock::now();
  for (;;) {
    std::erase_if(launches_,
                  [](const Watched& watched) { return watched.launch.limits.expired(); });
    const auto now = Clock::now();
    const bool all = (now >= haste_due && space_has_dropped()) || now >= round_due;
    auto looking = look_at_all(due(all));
    const auto worked = co_await std::move(looking);
    if (all) {
      const auto ended = Clock::now();
      round_due =
          ended + std::clamp<Clock::duration>(worked * rest_after_all, soonest_round, latest);
      haste_due = ended + std::clamp<Clock::duration>(worked * rest_in_haste, beat, latest);
    }
    const bool urgent = std::any_of(launches_.begin(), launches_.end(),
                                    [](const Watched& watched) { return watched.urgent; });
    timer.expires_after(urgent ? quick_beat : beat);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace supervisor::limits
