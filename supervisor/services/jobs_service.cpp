#include "supervisor/services/jobs_service.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/audit/audit_details.h"
#include "supervisor/jobs/job_state.h"
#include "supervisor/services/caller.h"
#include "supervisor/services/core_call.h"
#include "supervisor/services/run_checks.h"

namespace supervisor::services {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
// Who wants to wait longer asks again.
constexpr std::chrono::milliseconds max_wait = 10min;

// One who waits for the end of a job. Shared with whoever ends the wait; used
// on the core thread.
struct JobWait {
  explicit JobWait(const asio::any_io_executor& core) : timer(core) {}
  asio::steady_timer timer;
  std::optional<v1::Job> ended;
  bool is_over = false;
};

}  // namespace

void JobsService::open(rpc::CallDesk& desk) {
  using Rpc = v1::Jobs::AsyncService;
  const auto& core = context_.core;
  desk.unary(service_, &Rpc::RequestStart, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), wish = call->request()] {
      return start(caller, wish);
    });
  });
  desk.unary(service_, &Rpc::RequestGet, [this, core](const auto& call) {
    answer_on_core(core, call, [this, call] { return get(call); });
  });
  desk.unary(service_, &Rpc::RequestList, [this, core](const auto& call) {
    answer_on_core(core, call, [this, wish = call->request()] { return list(wish); });
  });
  desk.unary(service_, &Rpc::RequestCancel, [this, core](const auto& call) {
    answer_on_core(core, call, [this, caller = caller_of(*call), id = call->request().id()] {
      return cancel(caller, id);
    });
  });
}

asio::awaitable<Outcome<v1::Job>> JobsService::start(v1::Caller caller, v1::StartJobRequest wish) {
  const std::string key = wish.key();
  const auto plugin = registry_.find(key);
  if (auto wrong = run_failure(plugin != nullptr, key, wish.action(), wish.params_json().size(),
                               max_params_bytes_))
    co_return *wrong;
  const auto generation = plugin->serving_generation();
  if (generation.has_error()) co_return generation.error();

  auto& book = context_.jobs;
  jobs::JobBook::Opening opening;
  opening.kind = v1::JOB_KIND_BACKGROUND;
  opening.plugin = key;
  opening.action = wish.action();
  opening.requested_by = wish.requested_by();
  opening.generation = generation.value();
  const auto id = book.open(std::move(opening));
  // Written before it begins and before anybody is told its id.
  auto writing = history_.put(*book.find(id));
  const auto written = co_await std::move(writing);
  if (written.has_error()) {
    auto failure = written.error();
    failure.set_plugin(key);
    // The database may have taken it all the same.
    book.settle(id, failure);
    co_return failure;
  }
  auto entry = trail_.entry(std::move(caller), v1::AUDIT_ACTION_RUN, key);
  entry.set_details_json(audit::run_details(wish.action(), id));
  link::WorkerLink::Call run;
  run.name = wish.action();
  run.params_json = wish.params_json().empty() ? "{}" : wish.params_json();
  run.job_id = id;
  run.keep_result = true;
  const auto timeout = wish.deadline_ms() == 0 ? lifecycle::PluginSupervision::no_timeout
                                               : std::chrono::milliseconds(wish.deadline_ms());
  const auto handle = plugin->invoke(
      std::move(run), timeout,
      [&book, id](const Outcome<std::string>& outcome) { book.settle(id, outcome); });
  book.carry(id, handle.link, handle.id);
  auto looking = history_.find(id);
  auto job = co_await std::move(looking);
  // It may have been refused meanwhile: then that is its end, and our answer.
  const bool refused = job.has_value() && job->has_failure() &&
                       (handle.link.expired() || job->failure().reason() == v1::REASON_QUEUE_FULL);
  if (refused) co_return job->failure();
  trail_.record(std::move(entry));
  co_return job;
}

asio::awaitable<Outcome<v1::Job>> JobsService::get(std::shared_ptr<GetCall> call) {
  const auto id = call->request().id();
  const auto wait = std::min<std::chrono::milliseconds>(
      std::chrono::milliseconds(call->request().wait_ms()), max_wait);
  auto looking = history_.find(id);
  auto job = co_await std::move(looking);
  if (job.has_error() || wait == 0ms || jobs::is_over(job->state())) co_return job;

  const auto& core = context_.core;
  const auto waiting = std::make_shared<JobWait>(core);
  waiting->timer.expires_after(wait);
  const std::weak_ptr<JobWait> weak = waiting;
  const auto end = [core, weak](std::optional<v1::Job> ended) {
    asio::post(core, [weak, ended = std::move(ended)]() mutable {
      const auto living = weak.lock();
      if (!living) return;
      living->ended = std::move(ended);
      living->is_over = true;
      living->timer.cancel();
    });
  };
  const auto waiter = context_.jobs.when_over(id, [end](const v1::Job& ended) { end(ended); });
  if (waiter != 0) {
    call->when_hung_up([end] { end({}); });
    if (!waiting->is_over) co_await waiting->timer.async_wait(no_throw);
    context_.jobs.stop_waiting(id, waiter);
    if (waiting->ended) co_return std::move(*waiting->ended);
  }
  auto again = history_.find(id);
  co_return co_await std::move(again);
}

asio::awaitable<Outcome<v1::ListJobsResponse>> JobsService::list(v1::ListJobsRequest wish) {
  store::JobFilter filter;
  filter.plugin = wish.key();
  filter.unfinished = wish.unfinished();
  filter.before_unix_ms = wish.before_unix_ms();
  filter.limit = wish.limit();
  auto listing = history_.list(filter);
  auto listed = co_await std::move(listing);
  if (listed.has_error()) co_return listed.error();
  v1::ListJobsResponse response;
  for (auto& job : listed.value()) {
    job.clear_result_json();
    *response.add_jobs() = std::move(job);
  }
  co_return response;
}

asio::awaitable<Outcome<v1::Job>> JobsService::cancel(v1::Caller caller, std::string id) {
  auto entry = trail_.entry(std::move(caller), v1::AUDIT_ACTION_CANCEL, {});
  auto looking = history_.find(id);
  auto job = co_await std::move(looking);
  if (job.has_error()) {
    trail_.refuse(std::move(entry), job.error().reason());
    co_return job;
  }
  if (jobs::is_over(job->state())) co_return job;
  entry.set_plugin(job->plugin());
  entry.set_details_json(audit::run_details(job->action(), id));
  if (job->kind() == v1::JOB_KIND_TASK) {
    trail_.refuse(std::move(entry), v1::REASON_NOT_SUPPORTED);
    co_return make_failure(v1::REASON_NOT_SUPPORTED, "cancel",
                           "'" + job->action() + "' is a task that the worker runs by itself.",
                           "Restart plugin '" + job->plugin() + "' to end it.", job->plugin());
  }
  trail_.record(std::move(entry));
  context_.jobs.cancel(id);
  auto again = history_.find(id);
  co_return co_await std::move(again);
}

}  // namespace supervisor::services
