#include "supervisor/jobs/job_history.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_map>

#include "supervisor/jobs/job_state.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/short_text.h"

namespace supervisor::jobs {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
// A transaction costs the database as much as many rows: so many ends of jobs
// share one.
constexpr auto gather = 250ms;
constexpr auto outage_pause = 1s;
constexpr std::uint32_t default_limit = 100;
constexpr std::uint32_t max_limit = 1000;

Failure unknown(const std::string& id) {
  return make_failure(v1::REASON_NOT_FOUND, "lookup", "There is no job '" + id + "'.",
                      "It may be older than what is kept; list the jobs to see their ids.");
}

}  // namespace

JobHistory::JobHistory(asio::any_io_executor core, store::Store& store, JobBook& book,
                       HistoryOptions options)
    : store_(store),
      book_(book),
      options_(options),
      work_(std::make_shared<Timer>(core, Timer::time_point::max())),
      pause_(core) {
  const std::weak_ptr<Timer> weak = work_;
  book.when_unwritten([core, weak] {
    asio::post(core, [weak] {
      if (const auto work = weak.lock()) work->cancel();
    });
  });
}

asio::awaitable<Outcome<void>> JobHistory::recall() {
  store::JobFilter filter;
  filter.unfinished = true;
  auto reading = store_.jobs(filter);
  auto left = co_await std::move(reading);
  if (left.has_error()) co_return left.error();
  for (auto& job : left.value()) book_.remember(std::move(job));
  is_recalled_ = true;
  co_return Outcome<void>();
}

void JobHistory::fail_unadopted() {
  for (const auto& plugin : book_.unadopted_plugins())
    if (!is_adopting || !is_adopting(plugin)) book_.fail_unadopted(plugin);
}

asio::awaitable<void> JobHistory::pause(std::chrono::milliseconds time) {
  if (hurry_) co_return;
  pause_.expires_after(time);
  co_await pause_.async_wait(no_throw);
}

asio::awaitable<void> JobHistory::write_forever() {
  for (;;) {
    while (book_.unwritten_count() == 0) {
      // Looked at again after this: what came in between is not missed, since
      // the book's reaction is posted to this thread.
      work_->expires_at(Timer::time_point::max());
      co_await work_->async_wait(no_throw);
    }
    co_await pause(gather);
    const bool wrote = co_await write_some();
    if (!wrote) co_await pause(outage_pause);
  }
}

// False when the database is away.
asio::awaitable<bool> JobHistory::write_some() {
  const auto pages = book_.unwritten(batch_);
  // The newest of each job; the others are history.
  std::vector<JobBook::Page> rows;
  rows.reserve(pages.size());
  std::unordered_map<std::string, std::size_t> repeated;
  for (const auto& page : pages) {
    if (page->kind() == v1::JOB_KIND_RUN) {
      rows.push_back(page);
      continue;
    }
    const auto [place, is_new] = repeated.emplace(page->id(), rows.size());
    if (is_new) {
      rows.push_back(page);
    } else {
      rows[place->second] = page;
    }
  }
  writing_ = true;
  auto storing = store_.save_jobs(std::move(rows));
  const auto stored = co_await std::move(storing);
  writing_ = false;
  if (stored.has_value()) {
    book_.wrote(pages.size());
    if (on_written)
      for (const auto& page : pages)
        if (page->kind() != v1::JOB_KIND_RUN && is_over(page->state())) on_written(*page);
    batch_ = max_batch;
    outage_ = false;
    const auto dropped = book_.dropped();
    if (dropped != dropped_told_)
      logs::log_event(spdlog::level::warn, "jobs.dropped", {{"runs", dropped - dropped_told_}});
    dropped_told_ = dropped;
    co_return true;
  }
  const bool away = stored.error().reason() == v1::REASON_DATABASE_UNAVAILABLE;
  if (!outage_)
    logs::log_event(spdlog::level::warn, "jobs.unwritten", {{"error", stored.error().message()}});
  outage_ = true;
  if (away) co_return false;
  // One that the database refuses must not keep out the others: it is searched
  // for by halves, and given up.
  if (pages.size() <= 1) book_.wrote(pages.size());
  batch_ = std::max<std::size_t>(1, pages.size() / 2);
  co_return true;
}

asio::awaitable<void> JobHistory::sweep_forever() {
  Timer timer(co_await asio::this_coro::executor);
  for (;;) {
    if (!is_recalled_) {
      const auto recalled = co_await recall();
      if (recalled.has_value()) fail_unadopted();
    }
    store::JobRetention retention{options_.keep_days, options_.keep_runs, options_.keep_others};
    auto sweeping = store_.sweep_jobs(retention);
    const auto removed = co_await std::move(sweeping);
    // Many at once would hold up other queries: a chunk, then others' turn.
    const bool more = removed.has_value() && removed.value() >= store::max_swept;
    timer.expires_after(more ? 100ms : options_.sweep_every);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<Outcome<void>> JobHistory::put(v1::Job job) {
  std::vector<JobBook::Page> rows;
  rows.push_back(std::make_shared<const v1::Job>(std::move(job)));
  auto storing = store_.save_jobs(std::move(rows));
  auto stored = co_await std::move(storing);
  co_return stored;
}

asio::awaitable<Outcome<v1::Job>> JobHistory::find(std::string id) {
  if (!is_job_id(id)) co_return unknown(sys::shortened(id));
  if (auto job = book_.find(id)) co_return std::move(*job);
  auto reading = store_.job(id);
  auto stored = co_await std::move(reading);
  if (stored.has_error()) co_return stored.error();
  if (!stored.value()) co_return unknown(id);
  co_return std::move(*stored.value());
}

asio::awaitable<Outcome<std::vector<v1::Job>>> JobHistory::list(store::JobFilter filter) {
  filter.limit = filter.limit == 0 ? default_limit : std::min(filter.limit, max_limit);
  auto jobs = book_.list(filter.plugin, filter.unfinished);
  if (!filter.unfinished) {
    auto reading = store_.jobs(filter);
    auto stored = co_await std::move(reading);
    if (stored.has_error()) co_return stored.error();
    std::unordered_map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < jobs.size(); ++i) known.emplace(jobs[i].id(), i);
    for (auto& job : stored.value()) {
      const auto found = known.find(job.id());
      if (found == known.end()) {
        jobs.push_back(std::move(job));
      } else if (is_over(job.state())) {
        jobs[found->second] = std::move(job);  // It ended while the database was read.
      }
    }
  }
  if (filter.before_unix_ms > 0)
    std::erase_if(
        jobs, [&](const v1::Job& job) { return job.created_unix_ms() >= filter.before_unix_ms; });
  std::sort(jobs.begin(), jobs.end(), [](const v1::Job& a, const v1::Job& b) {
    return std::pair(a.created_unix_ms(), a.id()) > std::pair(b.created_unix_ms(), b.id());
  });
  if (jobs.size() > filter.limit) jobs.resize(filter.limit);
  co_return jobs;
}

asio::awaitable<void> JobHistory::written(std::chrono::steady_clock::time_point deadline) {
  hurry_ = true;
  pause_.cancel();
  Timer timer(co_await asio::this_coro::executor);
  while ((writing_ || book_.unwritten_count() > 0) && std::chrono::steady_clock::now() < deadline) {
    timer.expires_after(10ms);
    co_await timer.async_wait(no_throw);
  }
}

}  // namespace supervisor::jobs
