// Who hears what a worker says, beside the run that it is: the plugin's log,
// the jobs, the event bus, the host, and its heartbeat. A value; the run makes
// it for its link.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "supervisor/events/event_bus.h"
#include "supervisor/jobs/job_book.h"
#include "supervisor/lifecycle/heartbeat.h"
#include "supervisor/link/worker_link.h"
#include "supervisor/logs/log_book.h"

namespace supervisor::lifecycle {

struct WorkerAudience {
  std::string plugin;
  std::uint64_t generation = 0;
  std::shared_ptr<logs::LogBook> log_book;
  jobs::JobBook& jobs;
  events::EventBus& bus;
  std::function<void(v1::HostCall)> host;
  std::function<void(std::uint64_t count)> events_dropped;  // Since it was called last.
  std::shared_ptr<Heartbeat> heartbeat;
  std::chrono::milliseconds call_timeout{};  // For the answer to a call that it owes.

  /// Those of the events that concern it. What these take is of the worker's
  /// making, and may be anything.
  [[nodiscard]] link::LinkEvents events() const;
};

}  // namespace supervisor::lifecycle
