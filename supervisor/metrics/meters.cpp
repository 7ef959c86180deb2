#include "supervisor/metrics/meters.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace supervisor::metrics {
namespace {

using Type = Exposition::Type;

const prometheus::Histogram::BucketBoundaries step_buckets = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3, 1, 5, 20};
const prometheus::Histogram::BucketBoundaries lag_buckets = {0.001, 0.005, 0.01, 0.025, 0.05,
                                                             0.1,   0.25,  0.5,  1,     5};

}  // namespace

Meters::Steps::Steps()
    : fork(step_buckets),
      attach(step_buckets),
      import(step_buckets),
      construct(step_buckets),
      ready(step_buckets),
      total(step_buckets) {}

void Meters::Steps::observe(const v1::StartSteps& steps) {
  fork.Observe(steps.fork_us() / 1e6);
  attach.Observe(steps.attach_us() / 1e6);
  import.Observe(steps.import_us() / 1e6);
  construct.Observe(steps.construct_us() / 1e6);
  ready.Observe(steps.ready_us() / 1e6);
  total.Observe(steps.total_us() / 1e6);
}

Meters::Meters(events::EventBus& bus)
    : bus_(bus),
      watcher_(bus.watch([this](const v1::WatchEvent& event) {
        if (event.has_state_changed()) take(event.state_changed());
      })),
      core_lag_(lag_buckets) {}

Meters::~Meters() { bus_.unwatch(watcher_); }

std::shared_ptr<PluginMeter> Meters::plugin(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = plugins_.find(key); found != plugins_.end())
    if (auto meter = found->second.lock()) return meter;
  std::erase_if(plugins_, [](const auto& entry) { return entry.second.expired(); });
  auto meter = std::make_shared<PluginMeter>(key);
  plugins_[key] = meter;
  return meter;
}

// A state is left for another, and that tells what happened. (Crashes are
// counted where they are judged.)
void Meters::take(const v1::StateChanged& change) {
  const auto meter = plugin(change.key());
  const auto& worker = change.worker();
  const auto from = change.from();
  const auto to = worker.state();
  if (to == v1::PLUGIN_STATE_RUNNING && worker.adopted()) {
    meter->adoptions.Increment();
  } else if (to == v1::PLUGIN_STATE_RUNNING) {
    meter->starts.Increment();
    steps_.observe(worker.start_steps());
  } else if (to == v1::PLUGIN_STATE_LOAD_FAILED) {
    meter->load_failures.count(worker.failure().reason());
  } else if (from == v1::PLUGIN_STATE_STOPPING && !worker.has_failure()) {
    (worker.last_stop().forced() ? meter->forced_stops : meter->clean_stops).Increment();
  }
}

boost::asio::awaitable<void> Meters::watch_core() {
  boost::asio::steady_timer tick(co_await boost::asio::this_coro::executor);
  for (;;) {
    tick.expires_after(std::chrono::seconds(1));
    co_await tick.async_wait(boost::asio::use_awaitable);
    const auto late = std::chrono::steady_clock::now() - tick.expiry();
    core_lag_.Observe(std::chrono::duration<double>(late).count());
  }
}

std::vector<std::shared_ptr<PluginMeter>> Meters::living() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<PluginMeter>> meters;
  meters.reserve(plugins_.size());
  for (const auto& [key, weak] : plugins_)
    if (auto meter = weak.lock()) meters.push_back(std::move(meter));
  return meters;
}

void Meters::append_to(Exposition& out) const {
  const auto meters = living();
  out.family(Type::Counter, "plugin_starts_total", "Starts of a worker that came to run.");
  for (const auto& meter : meters) out.value({{"plugin", meter->plugin()}}, meter->starts.Value());
  out.family(Type::Counter, "plugin_adoptions_total",
             "Workers taken over, running, from a supervisor that was killed.");
  for (const auto& meter : meters)
    out.value({{"plugin", meter->plugin()}}, meter->adoptions.Value());
  out.family(Type::Counter, "plugin_stops_total",
             "Stops that were wanted; forced when asking was not enough.");
  for (const auto& meter : meters) {
    out.value({{"plugin", meter->plugin()}, {"forced", "false"}}, meter->clean_stops.Value());
    out.value({{"plugin", meter->plugin()}, {"forced", "true"}}, meter->forced_stops.Value());
  }
  out.family(Type::Counter, "plugin_crashes_total", "Workers that ended unwanted, by reason.");
  for (const auto& meter : meters) meter->crashes.append_to(out, meter->plugin(), "reason");
  out.family(Type::Counter, "plugin_load_failures_total",
             "Starts that did not come to run, by reason.");
  for (const auto& meter : meters) meter->load_failures.append_to(out, meter->plugin(), "reason");
  out.family(Type::Counter, "plugin_calls_total", "Calls settled, by outcome: ok or a reason.");
  for (const auto& meter : meters) meter->calls().append_to(out, meter->plugin(), "outcome");
  out.family(Type::Histogram, "plugin_call_duration_seconds",
             "From sending a call to its worker until it is settled.");
  for (const auto& meter : meters)
    out.histogram({{"plugin", meter->plugin()}}, meter->call_seconds());

  out.family(Type::Histogram, "plugin_supervisor_start_step_seconds",
             "Steps of all starts that came to run; total is from the request to ready.");
  out.histogram({{"step", "fork"}}, steps_.fork);
  out.histogram({{"step", "attach"}}, steps_.attach);
  out.histogram({{"step", "import"}}, steps_.import);
  out.histogram({{"step", "construct"}}, steps_.construct);
  out.histogram({{"step", "ready"}}, steps_.ready);
  out.histogram({{"step", "total"}}, steps_.total);
  out.family(Type::Histogram, "plugin_supervisor_core_lag_seconds",
             "How late the thread that decides is, looked at every second.");
  out.histogram({}, core_lag_);
  out.family(Type::Counter, "plugin_supervisor_forks_total", "Workers forked by a spawner.")
      .value({}, forks.Value());
  out.family(Type::Gauge, "plugin_supervisor_database_up", "1 when PostgreSQL can be reached.")
      .value({}, database_up.Value());
}

}  // namespace supervisor::metrics
