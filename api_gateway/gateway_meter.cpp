#include "api_gateway/gateway_meter.h"

#include <algorithm>

#include "supervisor/metrics/process_use.h"

namespace gateway {
namespace {

using supervisor::metrics::Exposition;
using Type = Exposition::Type;

const prometheus::Histogram::BucketBoundaries request_buckets = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 30, 300};

}  // namespace

std::string_view endpoint_name(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::none:
    case Endpoint::malformed:
      return "none";
    case Endpoint::plugins:
      return "plugins";
    case Endpoint::reload:
      return "reload";
    case Endpoint::settings:
      return "settings";
    case Endpoint::run:
      return "run";
    case Endpoint::enabled:
      return "enabled";
    case Endpoint::logo:
      return "logo";
    case Endpoint::resource:
      return "resource";
    case Endpoint::workers:
      return "workers";
    case Endpoint::worker:
      return "worker";
    case Endpoint::control:
      return "control";
    case Endpoint::dump_stacks:
      return "dump_stacks";
    case Endpoint::options:
      return "options";
    case Endpoint::logs:
      return "logs";
    case Endpoint::audit:
      return "audit";
    case Endpoint::healthz:
      return "healthz";
    case Endpoint::readyz:
      return "readyz";
    case Endpoint::metrics:
      return "metrics";
    default:
      return "other";
  }
}

GatewayMeter::Requests::Requests() : seconds(request_buckets) {}

GatewayMeter::GatewayMeter() {
  for (auto& requests : requests_) requests = std::make_unique<Requests>();
}

void GatewayMeter::count(Endpoint endpoint, unsigned status, std::chrono::nanoseconds took) {
  auto& requests = *requests_[static_cast<std::size_t>(endpoint)];
  const auto* const known = std::find(statuses.begin(), statuses.end(), status);
  requests.by_status[static_cast<std::size_t>(known - statuses.begin())].Increment();
  requests.seconds.Observe(std::chrono::duration<double>(took).count());
}

std::string GatewayMeter::text(bool supervisor_up) const {
  Exposition out;
  out.family(Type::Gauge, "plugin_gateway_build_info", "Always 1; which version runs.")
      .value({{"version", PLUGIN_SUPERVISOR_VERSION}}, 1);
  out.family(Type::Gauge, "plugin_gateway_supervisor_up",
             "1 when the supervisor answered this very request for metrics.")
      .value({}, supervisor_up ? 1 : 0);
  out.family(Type::Gauge, "plugin_gateway_connections", "Connections of clients.")
      .value({}, connections.Value());
  out.family(Type::Counter, "plugin_gateway_requests_total",
             "Requests answered, by endpoint and HTTP status.");
  for (std::size_t place = 0; place < requests_.size(); ++place) {
    const std::string name(endpoint_name(static_cast<Endpoint>(place)));
    for (std::size_t status = 0; status <= statuses.size(); ++status) {
      const double count = requests_[place]->by_status[status].Value();
      if (count == 0) continue;
      out.value({{"endpoint", name},
                 {"status", status < statuses.size() ? std::to_string(statuses[status]) : "other"}},
                count);
    }
  }
  out.family(Type::Histogram, "plugin_gateway_request_duration_seconds",
             "From the head of a request until its answer is there.");
  for (std::size_t place = 0; place < requests_.size(); ++place) {
    const auto& requests = *requests_[place];
    const bool used = std::any_of(requests.by_status.begin(), requests.by_status.end(),
                                  [](const auto& counter) { return counter.Value() > 0; });
    if (!used) continue;
    out.histogram({{"endpoint", std::string(endpoint_name(static_cast<Endpoint>(place)))}},
                  requests.seconds);
  }
  supervisor::metrics::append_own_use(out, "plugin_gateway");
  return out.text();
}

}  // namespace gateway
