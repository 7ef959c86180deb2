// The jobs in the database: what the book hands over is written there behind
// the calls' backs, in batches; a call never waits for it. What is too old or
// too much is removed.
//
// One per supervisor, built by main(); on the core thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "supervisor/jobs/job_book.h"
#include "supervisor/store/store.h"

namespace supervisor::jobs {

struct HistoryOptions {
  int keep_days = 30;                 // 0 = for ever.
  std::uint32_t keep_runs = 100000;   // Runs that a caller waited for; 0 = all.
  std::uint32_t keep_others = 10000;  // Background jobs, tasks, events; 0 = all.
  std::chrono::milliseconds sweep_every{60000};
};

class JobHistory {
 public:
  JobHistory(boost::asio::any_io_executor core, store::Store& store, JobBook& book,
             HistoryOptions options);

  /// Has the book remember what an earlier supervisor left unfinished. Before
  /// the first job; tried again later when the database is away.
  boost::asio::awaitable<Outcome<void>> recall();

  /// Whether a worker of an earlier supervisor may still be taken over.
  std::function<bool(const std::string& plugin)> is_adopting;
  /// Ends what is remembered of plugins of which none may.
  void fail_unadopted();

  /// The coroutines. Spawned once; run for as long as the daemon.
  boost::asio::awaitable<void> write_forever();
  boost::asio::awaitable<void> sweep_forever();

  /// Called with each job that outlives its caller once its end is in the
  /// database.
  std::function<void(const v1::Job&)> on_written;

  /// Writes one job at once: what was acknowledged must not be forgotten.
  boost::asio::awaitable<Outcome<void>> put(v1::Job job);

  /// The job as the book or the database has it. NOT_FOUND.
  boost::asio::awaitable<Outcome<v1::Job>> find(std::string id);

  /// Newest first, those of the book among those of the database.
  boost::asio::awaitable<Outcome<std::vector<v1::Job>>> list(store::JobFilter filter);

  /// Waits until all is written, or `deadline`.
  boost::asio::awaitable<void> written(std::chrono::steady_clock::time_point deadline);

 private:
  using Timer = boost::asio::steady_timer;

  boost::asio::awaitable<bool> write_some();
  boost::asio::awaitable<void> pause(std::chrono::milliseconds time);

  store::Store& store_;
  JobBook& book_;
  const HistoryOptions options_;
  // Goes off when there is something to write; shared with the book's
  // reaction, which comes on any thread and is posted to this one.
  std::shared_ptr<Timer> work_;
  Timer pause_;
  std::size_t batch_ = max_batch;
  bool hurry_ = false;    // The daemon ends: do not gather.
  bool writing_ = false;  // Some pages are on their way.
  bool outage_ = false;
  bool is_recalled_ = false;
  std::uint64_t dropped_told_ = 0;

  static constexpr std::size_t max_batch = 5000;
};

}  // namespace supervisor::jobs
