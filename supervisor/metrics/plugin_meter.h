// What is counted of one plugin. Owned by its supervision and by the calls under
// way; known to Meters. Thread-safe: counting is an atomic or two.
//
// No label comes from a plugin: there is its key, and there are closed enums.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/histogram.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "plugin_supervisor/v1/reason.pb.h"
#include "supervisor/metrics/exposition.h"
#include "supervisor/sys/failure.h"

namespace supervisor::metrics {

/// One counter per reason; UNSPECIFIED is success.
class ReasonCounters {
 public:
  void count(v1::Reason reason);
  /// Adds those that are not zero, under the label `name`.
  void append_to(Exposition& exposition, const std::string& plugin, const std::string& name) const;

 private:
  std::array<prometheus::Counter, v1::Reason_ARRAYSIZE> counters_;
};

class PluginMeter : public std::enable_shared_from_this<PluginMeter> {
 public:
  using Done = std::function<void(Outcome<std::string>)>;

  explicit PluginMeter(std::string plugin);

  /// Counts and times a call that is sent to the worker, when it is settled.
  [[nodiscard]] Done timed(Done done);
  /// A call that was settled without being sent.
  void refused(v1::Reason reason) { calls_.count(reason); }

  prometheus::Counter starts;     // That came to run.
  prometheus::Counter adoptions;  // Of workers that an earlier supervisor started.
  prometheus::Counter clean_stops;
  prometheus::Counter forced_stops;
  ReasonCounters crashes;
  ReasonCounters load_failures;

  [[nodiscard]] const std::string& plugin() const { return plugin_; }
  [[nodiscard]] const ReasonCounters& calls() const { return calls_; }
  [[nodiscard]] const prometheus::Histogram& call_seconds() const { return call_seconds_; }

 private:
  const std::string plugin_;
  ReasonCounters calls_;
  prometheus::Histogram call_seconds_;
};

}  // namespace supervisor::metrics
