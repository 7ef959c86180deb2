#include "supervisor/metrics/plugin_meter.h"

namespace supervisor::metrics {
namespace {

using Clock = std::chrono::steady_clock;

// From a plugin that answers at once to one that works for minutes.
const prometheus::Histogram::BucketBoundaries call_buckets = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 30, 300};

}  // namespace

void ReasonCounters::count(v1::Reason reason) {
  const auto place = static_cast<std::size_t>(reason);
  // An enum on the wire is open.
  counters_[place < counters_.size() ? place : std::size_t{v1::REASON_INTERNAL}].Increment();
}

void ReasonCounters::append_to(Exposition& exposition, const std::string& plugin,
                               const std::string& name) const {
  for (std::size_t place = 0; place < counters_.size(); ++place) {
    const double count = counters_[place].Value();
    if (count == 0) continue;
    const auto reason = static_cast<v1::Reason>(place);
    exposition.value({{"plugin", plugin}, {name, place == 0 ? "ok" : reason_code(reason)}}, count);
  }
}

PluginMeter::PluginMeter(std::string plugin)
    : plugin_(std::move(plugin)), call_seconds_(call_buckets) {}

PluginMeter::Done PluginMeter::timed(Done done) {
  return [meter = shared_from_this(), begin = Clock::now(),
          done = std::move(done)](Outcome<std::string> outcome) {
    const auto reason = outcome.has_value() ? v1::REASON_UNSPECIFIED : outcome.error().reason();
    meter->calls_.count(reason);
    // What was refused at the door says nothing of how long the plugin takes.
    if (reason != v1::REASON_QUEUE_FULL)
      meter->call_seconds_.Observe(std::chrono::duration<double>(Clock::now() - begin).count());
    done(std::move(outcome));
  };
}

}  // namespace supervisor::metrics
