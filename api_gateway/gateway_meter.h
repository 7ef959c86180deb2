// What the gateway counts of itself: requests by endpoint and status, how long
// they take, and connections. Owned by the Gateway; shared by all its threads.
//
// The labels are closed: a path that names nothing is "none".
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "api_gateway/router.h"

namespace gateway {

class GatewayMeter {
 public:
  GatewayMeter();

  void count(Endpoint endpoint, unsigned status, std::chrono::nanoseconds took);

  prometheus::Gauge connections;

  /// In the Prometheus text format.
  [[nodiscard]] std::string text(bool supervisor_up) const;

 private:
  // What answers are given; another one is counted as "other".
  static constexpr std::array<unsigned, 19> statuses = {200, 202, 204, 304, 400, 401, 403,
                                                        404, 405, 408, 409, 413, 415, 429,
                                                        431, 500, 502, 503, 504};
  struct Requests {
    Requests();
    std::array<prometheus::Counter, statuses.size() + 1> by_status;
    prometheus::Histogram seconds;
  };
  static constexpr std::size_t endpoint_count = static_cast<std::size_t>(Endpoint::metrics) + 1;
  std::array<std::unique_ptr<Requests>, endpoint_count> requests_;
};

/// "run", "dump_stacks"; "none" for a path that names nothing.
std::string_view endpoint_name(Endpoint endpoint);

}  // namespace gateway
