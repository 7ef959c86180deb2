// Everything that is counted, of all plugins and of the daemon itself.
//
// One per supervisor, built by main() after the event bus, which tells it of
// every step in a plugin's life. Thread-safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "supervisor/events/event_bus.h"
#include "supervisor/metrics/plugin_meter.h"

namespace supervisor::metrics {

class Meters {
 public:
  explicit Meters(events::EventBus& bus);
  ~Meters();
  Meters(const Meters&) = delete;
  Meters& operator=(const Meters&) = delete;

  /// The meter of a plugin: the same for as long as anybody holds it.
  std::shared_ptr<PluginMeter> plugin(const std::string& key);

  prometheus::Counter forks;      // Workers forked by a spawner.
  prometheus::Gauge database_up;  // 0 or 1.

  /// Measures, every second, how late the thread that runs this is. For ever.
  boost::asio::awaitable<void> watch_core();

  /// Adds all of it.
  void append_to(Exposition& exposition) const;

 private:
  // The steps of a start, as in StartSteps.
  struct Steps {
    Steps();
    void observe(const v1::StartSteps& steps);
    prometheus::Histogram fork, attach, import, construct, ready, total;
  };

  void take(const v1::StateChanged& change);
  [[nodiscard]] std::vector<std::shared_ptr<PluginMeter>> living() const;

  events::EventBus& bus_;
  const events::EventBus::WatcherId watcher_;
  Steps steps_;
  prometheus::Histogram core_lag_;
  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<PluginMeter>> plugins_;
};

}  // namespace supervisor::metrics
