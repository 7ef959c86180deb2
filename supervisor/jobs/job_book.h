// Every job that has not ended, and those that have but are not yet in the
// database. The history writes down what this book hands it.
//
// One per supervisor, built by main(). Thread-safe: jobs begin on the thread
// of the API and end on those of the links; nothing here waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin_supervisor/v1/jobs_service.pb.h"
#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/events/event_bus.h"
#include "supervisor/jobs/job_ids.h"
#include "supervisor/link/worker_link.h"
#include "supervisor/sys/failure.h"

namespace supervisor::jobs {

class JobBook {
 public:
  /// A job as it was at one moment.
  using Page = std::shared_ptr<const v1::Job>;

  /// `max_unwritten`: how many runs wait for the database at most; more are
  /// dropped and counted. What outlives its caller is never dropped.
  explicit JobBook(events::EventBus& bus, std::size_t max_unwritten = 50000)
      : bus_(bus), max_unwritten_(max_unwritten) {}
  JobBook(const JobBook&) = delete;
  JobBook& operator=(const JobBook&) = delete;

  // --- A call of a plugin -----------------------------------------------------

  struct Opening {
    v1::JobKind kind = v1::JOB_KIND_RUN;
    std::string plugin;
    std::string action;
    std::string requested_by;  // Empty = unknown.
    std::uint64_t generation = 0;
  };
  /// A new job, running from now on. Returns its id.
  std::string open(Opening opening);

  /// The call that carries the job, so that it can be called off. Nothing
  /// happens when it has ended already.
  void carry(const std::string& id, const std::weak_ptr<link::WorkerLink>& link,
             std::uint64_t call_id);

  /// Ends a job. Nothing happens when it has ended, or was never begun. Of a
  /// run the result goes to its caller alone.
  void settle(const std::string& id, const Outcome<std::string>& outcome);

  /// Ends a job that never came to run: nothing is told of it to the history.
  void forget(const std::string& id);

  /// What the plugin says of a job that runs. `message` need not be printable.
  void progress(const std::string& id, double fraction, const std::string& message);

  /// Gives a job up. False when it has ended, or cannot be called off.
  bool cancel(const std::string& id);

  // --- Tasks that a worker runs by itself -----------------------------------------

  /// Takes what a worker tells of a task; nonsense is ignored.
  void report_task(const std::string& plugin, std::uint64_t generation, v1::TaskReport&& report);

  /// The worker is gone: what it ran without a call of ours ends so.
  void end_tasks(const std::string& plugin, std::uint64_t generation, const Failure& why);

  // --- Jobs of an earlier supervisor ------------------------------------------------

  /// A job that the database knows as unfinished. Nobody runs it until it is
  /// adopted.
  void remember(v1::Job job);

  /// Unfinished jobs of one launch.
  [[nodiscard]] std::vector<std::string> unfinished(const std::string& plugin,
                                                    std::uint64_t generation) const;

  /// The worker that runs the job has been taken over; carry() and settle()
  /// may follow. A job that nobody remembers (a run whose caller is gone) is
  /// begun.
  void adopt(const std::string& id, const std::string& plugin, std::uint64_t generation,
             const std::string& action, v1::JobKind kind);

  /// Plugins of which something is remembered that was not adopted.
  [[nodiscard]] std::set<std::string> unadopted_plugins() const;

  /// Ends what is remembered of `plugin` and was not adopted. It failed with
  /// `why`; null = with NOT_ADOPTED.
  void fail_unadopted(const std::string& plugin, const Failure* why = nullptr);

  // --- Looking -----------------------------------------------------------------------

  /// A job that has not ended or is not in the database yet.
  [[nodiscard]] std::optional<v1::Job> find(const std::string& id) const;

  /// Those that are in no database yet, and with `unfinished` only those that
  /// have not ended. Newest first; of every plugin for an empty key.
  [[nodiscard]] std::vector<v1::Job> list(const std::string& plugin, bool unfinished) const;

  using WaiterId = std::uint64_t;
  /// `react` is called once with the job as it ended, on the thread that ends
  /// it. 0, and it is never called, when the job does not run.
  WaiterId when_over(const std::string& id, std::function<void(const v1::Job&)> react);
  /// It may still be called when the job ends at this moment.
  void stop_waiting(const std::string& id, WaiterId waiter);

  // --- For the history -----------------------------------------------------------------

  /// Called (any thread) when something is to be written and nothing was before.
  /// Set before the first job.
  void when_unwritten(std::function<void()> react) { unwritten_react_ = std::move(react); }
  /// The oldest `count` at most; they stay until wrote().
  [[nodiscard]] std::vector<Page> unwritten(std::size_t count) const;
  [[nodiscard]] std::size_t unwritten_count() const;
  /// The oldest `count` are in the database, or cannot be put there.
  void wrote(std::size_t count);
  /// Runs that the history will never know of.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Waiters = std::vector<std::pair<WaiterId, std::function<void(const v1::Job&)>>>;
  struct Entry {
    v1::Job job;
    Clock::time_point since;
    std::weak_ptr<link::WorkerLink> link;
    std::uint64_t call_id = 0;
    bool is_carried = false;
    bool is_cancelled = false;  // Before there was a call.
    bool is_adopted = true;
    Waiters waiters;
  };
  using Entries = std::unordered_map<std::string, Entry>;
  // What follows a change once the lock is given back.
  struct Aftermath {
    Waiters waiters;
    Page page;
    bool history = false;
  };

  // With the lock held.
  void publish(const v1::Job& job);
  [[nodiscard]] std::size_t tasks_of(const std::string& plugin) const;
  void count_task(const v1::Job& job, int change);
  [[nodiscard]] bool write_down(Page page);
  Aftermath end(Entries::iterator entry, v1::JobState state, const Failure* failure,
                std::string result_json);
  // Without it.
  void follow(Aftermath&& aftermath);

  events::EventBus& bus_;
  const std::size_t max_unwritten_;
  std::function<void()> unwritten_react_;

  mutable std::mutex mutex_;
  JobIds ids_;
  WaiterId last_waiter_ = 0;
  Entries running_;
  std::unordered_map<std::string, std::size_t> tasks_;  // Of them, by plugin; none is 0.
  std::deque<Page> unwritten_;                          // In the order they are to be written.
  std::uint64_t dropped_ = 0;
};

}  // namespace supervisor::jobs
