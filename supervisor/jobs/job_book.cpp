#include "supervisor/jobs/job_book.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "supervisor/jobs/job_state.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::jobs {
namespace {

constexpr std::size_t max_message = 1000;
// Of one plugin at a time: more than its worker lets wait.
constexpr std::size_t most_tasks = 1100;

// The database takes neither NUL nor what is not UTF-8.
std::string cleaned(std::string text) { return logs::printable_name(std::move(text)); }

Failure cleaned(const Failure& failure, bool with_evidence) {
  Failure clean = failure;
  clean.set_step(cleaned(failure.step()));
  clean.set_message(logs::printable_lines(failure.message()));
  clean.set_hint(logs::printable_lines(failure.hint()));
  clean.set_plugin(cleaned(failure.plugin()));
  clean.clear_evidence();
  if (with_evidence)
    for (const auto& line : failure.evidence()) clean.add_evidence(logs::printable_text(line));
  return clean;
}

// A caller that waits for it gets the result, and needs no history of it.
bool outlives_its_caller(const v1::Job& job) { return job.kind() != v1::JOB_KIND_RUN; }

Failure called_off(const std::string& plugin) {
  return make_failure(v1::REASON_CANCELLED, "run", "The job was cancelled.", "", plugin);
}

Failure not_adopted(const v1::Job& job) {
  return make_failure(v1::REASON_NOT_ADOPTED, "adopt",
                      "The supervisor ended while plugin '" + job.plugin() + "' ran '" +
                          job.action() + "', and the worker that ran it is gone.",
                      "It may have had its effect; look before you start it again.", job.plugin());
}

}  // namespace

// --- A call of a plugin -----------------------------------------------------------

std::string JobBook::open(Opening opening) {
  const auto now = sys::unix_ms();
  Entry entry;
  entry.since = Clock::now();
  auto& job = entry.job;
  job.set_plugin(std::move(opening.plugin));
  job.set_action(cleaned(std::move(opening.action)));
  job.set_kind(opening.kind);
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_requested_by(cleaned(std::move(opening.requested_by)));
  job.set_generation(opening.generation);
  job.set_created_unix_ms(now);
  job.set_started_unix_ms(now);
  const std::lock_guard lock(mutex_);
  auto id = ids_.next(now);
  job.set_id(id);
  if (outlives_its_caller(job)) publish(job);
  running_.emplace(id, std::move(entry));
  return id;
}

void JobBook::carry(const std::string& id, const std::weak_ptr<link::WorkerLink>& link,
                    std::uint64_t call_id) {
  const auto carrier = link.lock();
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    auto& entry = found->second;
    entry.link = link;
    entry.call_id = call_id;
    entry.is_carried = true;
    if (carrier) entry.job.set_generation(carrier->launch().generation);
    if (!entry.is_cancelled) return;
  }
  if (carrier) carrier->call_off(call_id, called_off(carrier->launch().plugin));
}

JobBook::Aftermath JobBook::end(Entries::iterator entry, v1::JobState state, const Failure* failure,
                                std::string result_json) {
  Aftermath after;
  auto& ended = entry->second;
  auto& job = ended.job;
  count_task(job, -1);
  job.set_state(state);
  job.set_ended_unix_ms(std::max(sys::unix_ms(), job.created_unix_ms()));
  // What an earlier supervisor began is timed by the wall clock alone.
  const std::int64_t us =
      ended.since == Clock::time_point()
          ? (job.ended_unix_ms() - job.started_unix_ms()) * 1000
          : std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - ended.since)
                .count();
  job.set_duration_us(static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, UINT32_MAX)));
  if (failure != nullptr) *job.mutable_failure() = cleaned(*failure, outlives_its_caller(job));
  if (outlives_its_caller(job)) {
    publish(job);
    job.set_result_json(std::move(result_json));
  }
  after.waiters = std::move(ended.waiters);
  after.page = std::make_shared<const v1::Job>(std::move(job));
  running_.erase(entry);
  after.history = write_down(after.page);
  return after;
}

void JobBook::follow(Aftermath&& aftermath) {
  for (const auto& [id, react] : aftermath.waiters) react(*aftermath.page);
  if (aftermath.history && unwritten_react_) unwritten_react_();
}

void JobBook::settle(const std::string& id, const Outcome<std::string>& outcome) {
  Aftermath after;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    if (outcome.has_value()) {
      after = end(found, v1::JOB_STATE_SUCCEEDED, nullptr,
                  outlives_its_caller(found->second.job) ? outcome.value() : std::string());
    } else {
      const Failure why = outcome.error();
      after = end(found, ending_of(why), &why, {});
    }
  }
  follow(std::move(after));
}

void JobBook::forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  count_task(found->second.job, -1);
  running_.erase(found);
}

void JobBook::progress(const std::string& id, double fraction, const std::string& message) {
  if (std::isnan(fraction)) fraction = 0;
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  auto& job = found->second.job;
  job.set_fraction(std::clamp(fraction, 0.0, 1.0));
  job.set_message(logs::printable_text(message, max_message));
  publish(job);
}

bool JobBook::cancel(const std::string& id) {
  std::shared_ptr<link::WorkerLink> link;
  std::uint64_t call_id = 0;
  std::string plugin;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found == running_.end()) return false;
    auto& entry = found->second;
    // A task is the worker's own; nobody here can reach into it.
    if (entry.job.kind() == v1::JOB_KIND_TASK) return false;
    entry.is_cancelled = true;
    if (!entry.is_carried) return true;  // carry() sees it.
    link = entry.link.lock();
    call_id = entry.call_id;
    plugin = entry.job.plugin();
  }
  // Outside of the lock: this settles the job.
  const auto why = called_off(plugin);
  if (link) link->call_off(call_id, why);
  return true;
}

// --- Tasks ----------------------------------------------------------------------------

void JobBook::report_task(const std::string& plugin, std::uint64_t generation,
                          v1::TaskReport&& report) {
  if (!is_job_id(report.id())) return;
  Aftermath after;
  {
    const std::lock_guard lock(mutex_);
    auto found = running_.find(report.id());
    const bool is_ours = found != running_.end() && found->second.job.kind() == v1::JOB_KIND_TASK &&
                         found->second.job.plugin() == plugin &&
                         found->second.job.generation() == generation;
    if (found != running_.end() && !is_ours) return;
    switch (report.state()) {
      case v1::TaskReport::STATE_QUEUED:
      case v1::TaskReport::STATE_RUNNING: {
        const auto now = sys::unix_ms();
        if (!is_ours) {
          if (tasks_of(plugin) >= most_tasks) return;  // Its worker holds it to less.
          Entry entry;
          entry.since = Clock::now();
          auto& job = entry.job;
          job.set_id(report.id());
          job.set_plugin(plugin);
          job.set_action(cleaned(std::move(*report.mutable_name())));
          job.set_kind(v1::JOB_KIND_TASK);
          job.set_requested_by(report.parent_job_id().empty() ? ""
                                                              : "job:" + report.parent_job_id());
          job.set_requested_by(cleaned(job.requested_by()));
          job.set_generation(generation);
          job.set_created_unix_ms(now);
          count_task(job, 1);
          found = running_.emplace(report.id(), std::move(entry)).first;
        }
        auto& entry = found->second;
        if (report.state() == v1::TaskReport::STATE_RUNNING) {
          entry.job.set_state(v1::JOB_STATE_RUNNING);
          entry.job.set_started_unix_ms(now);
          entry.since = Clock::now();
        } else {
          entry.job.set_state(v1::JOB_STATE_QUEUED);
        }
        publish(entry.job);
        // So that a supervisor that dies knows of it.
        if (!is_ours) after.history = write_down(std::make_shared<const v1::Job>(entry.job));
        break;
      }
      case v1::TaskReport::STATE_SUCCEEDED:
        if (!is_ours) return;
        after =
            end(found, v1::JOB_STATE_SUCCEEDED, nullptr, std::move(*report.mutable_result_json()));
        break;
      case v1::TaskReport::STATE_FAILED:
        if (!is_ours) return;
        after = end(found, v1::JOB_STATE_FAILED, &report.failure(), {});
        break;
      default:
        return;
    }
  }
  follow(std::move(after));
}

// Locked.
std::size_t JobBook::tasks_of(const std::string& plugin) const {
  const auto found = tasks_.find(plugin);
  return found == tasks_.end() ? 0 : found->second;
}

void JobBook::count_task(const v1::Job& job, int change) {
  if (job.kind() != v1::JOB_KIND_TASK) return;
  const auto found = tasks_.try_emplace(job.plugin()).first;
  found->second += static_cast<std::size_t>(change);
  if (found->second == 0) tasks_.erase(found);
}

void JobBook::end_tasks(const std::string& plugin, std::uint64_t generation, const Failure& why) {
  std::vector<Aftermath> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = running_.begin(); entry != running_.end();) {
      const auto here = entry++;
      const auto& job = here->second.job;
      if (job.kind() == v1::JOB_KIND_TASK && job.plugin() == plugin &&
          job.generation() == generation)
        ended.push_back(end(here, ending_of(why), &why, {}));
    }
  }
  for (auto& after : ended) follow(std::move(after));
}

// --- Jobs of an earlier supervisor -------------------------------------------------------

void JobBook::remember(v1::Job job) {
  Entry entry;
  entry.is_adopted = false;
  entry.job = std::move(job);
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(entry.job.id());
  if (found == running_.end()) {
    const auto id = entry.job.id();
    count_task(entry.job, 1);
    running_.emplace(id, std::move(entry));
  } else if (found->second.job.plugin() == entry.job.plugin()) {
    // Its worker was quicker than the database.
    count_task(found->second.job, -1);
    count_task(entry.job, 1);
    found->second.job = std::move(entry.job);
  }
}

std::vector<std::string> JobBook::unfinished(const std::string& plugin,
                                             std::uint64_t generation) const {
  std::vector<std::string> ids;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : running_)
    if (entry.job.plugin() == plugin && entry.job.generation() == generation) ids.push_back(id);
  return ids;
}

void JobBook::adopt(const std::string& id, const std::string& plugin, std::uint64_t generation,
                    const std::string& action, v1::JobKind kind) {
  if (!is_job_id(id)) return;
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found != running_.end()) {
    if (found->second.job.plugin() == plugin) found->second.is_adopted = true;
    return;
  }
  const auto now = sys::unix_ms();
  Entry entry;
  auto& job = entry.job;
  job.set_id(id);
  job.set_plugin(plugin);
  job.set_action(cleaned(action));
  job.set_kind(kind);
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_generation(generation);
  job.set_created_unix_ms(now);
  job.set_started_unix_ms(now);
  running_.emplace(id, std::move(entry));
}

std::set<std::string> JobBook::unadopted_plugins() const {
  std::set<std::string> plugins;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : running_)
    if (!entry.is_adopted) plugins.insert(entry.job.plugin());
  return plugins;
}

void JobBook::fail_unadopted(const std::string& plugin, const Failure* why) {
  std::vector<Aftermath> ended;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = running_.begin(); entry != running_.end();) {
      const auto here = entry++;
      if (here->second.is_adopted || here->second.job.plugin() != plugin) continue;
      const auto failure = why != nullptr ? *why : not_adopted(here->second.job);
      ended.push_back(end(here, v1::JOB_STATE_FAILED, &failure, {}));
    }
  }
  for (auto& after : ended) follow(std::move(after));
}

// --- Looking ---------------------------------------------------------------------------------

std::optional<v1::Job> JobBook::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = running_.find(id); found != running_.end()) return found->second.job;
  const auto page = std::find_if(unwritten_.rbegin(), unwritten_.rend(),
                                 [&](const Page& each) { return each->id() == id; });
  if (page == unwritten_.rend()) return std::nullopt;
  return **page;
}

std::vector<v1::Job> JobBook::list(const std::string& plugin, bool unfinished) const {
  std::vector<v1::Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : running_)
      if (plugin.empty() || entry.job.plugin() == plugin) jobs.push_back(entry.job);
    for (const auto& page : unwritten_) {
      if (unfinished) break;
      if (is_over(page->state()) && (plugin.empty() || page->plugin() == plugin))
        jobs.push_back(*page);
    }
  }
  std::sort(jobs.begin(), jobs.end(), [](const v1::Job& a, const v1::Job& b) {
    return std::pair(a.created_unix_ms(), a.id()) > std::pair(b.created_unix_ms(), b.id());
  });
  return jobs;
}

JobBook::WaiterId JobBook::when_over(const std::string& id,
                                     std::function<void(const v1::Job&)> react) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return 0;
  found->second.waiters.emplace_back(++last_waiter_, std::move(react));
  return last_waiter_;
}

void JobBook::stop_waiting(const std::string& id, WaiterId waiter) {
  const std::lock_guard lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  std::erase_if(found->second.waiters, [&](const auto& each) { return each.first == waiter; });
}

// --- For the history ---------------------------------------------------------------------------

std::vector<JobBook::Page> JobBook::unwritten(std::size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto end =
      unwritten_.begin() + static_cast<std::ptrdiff_t>(std::min(count, unwritten_.size()));
  return {unwritten_.begin(), end};
}

std::size_t JobBook::unwritten_count() const {
  const std::lock_guard lock(mutex_);
  return unwritten_.size();
}

void JobBook::wrote(std::size_t count) {
  const std::lock_guard lock(mutex_);
  unwritten_.erase(unwritten_.begin(), unwritten_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                count, unwritten_.size())));
}

std::uint64_t JobBook::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

bool JobBook::write_down(Page page) {
  if (unwritten_.size() >= max_unwritten_ && !outlives_its_caller(*page)) {
    ++dropped_;
    return false;
  }
  unwritten_.push_back(std::move(page));
  return unwritten_.size() == 1;
}

void JobBook::publish(const v1::Job& job) {
  v1::WatchEvent event;
  *event.mutable_job_changed()->mutable_job() = job;
  // Watchers only queue, so this may be told with the lock held, and in order.
  bus_.publish(std::move(event));
}

}  // namespace supervisor::jobs
