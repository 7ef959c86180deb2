#include "supervisor/lifecycle/worker_audience.h"

#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::lifecycle {
namespace {

constexpr std::size_t max_event_name = 200;

void publish(events::EventBus& bus, const std::string& plugin, v1::EmittedEvent&& emitted) {
  if (emitted.name().empty() || emitted.name().size() > max_event_name) return;
  if (!sys::json_error(emitted.payload_json()).empty()) return;
  v1::WatchEvent event;
  auto& plugin_event = *event.mutable_plugin_event();
  plugin_event.set_plugin(plugin);
  plugin_event.set_event(logs::printable_text(emitted.name()));
  plugin_event.set_payload_json(std::move(*emitted.mutable_payload_json()));
  bus.publish(std::move(event));
}

}  // namespace

link::LinkEvents WorkerAudience::events() const {
  link::LinkEvents events;
  events.owed = [&jobs = jobs, plugin = plugin, generation = generation,
                 call_timeout = call_timeout](const v1::OwedCall& call) {
    link::OwedAnswer answer;
    if (!call.keep_result()) answer.deadline = std::chrono::steady_clock::now() + call_timeout;
    // A result that is kept is one of a job without a caller.
    jobs.adopt(call.job_id(), plugin, generation, call.name(),
               call.keep_result() ? v1::JOB_KIND_BACKGROUND : v1::JOB_KIND_RUN);
    answer.done = [&jobs, plugin, job = call.job_id()](const Outcome<std::string>& outcome) {
      logs::log_event(spdlog::level::info, "call.answered_late",
                      {{"plugin", plugin}, {"job", job}, {"ok", outcome.has_value()}});
      jobs.settle(job, outcome);
    };
    return answer;
  };
  events.log = [book = log_book, generation = generation](v1::LogBatch batch) {
    book->take_logged(std::move(batch), generation);
  };
  events.event = [&bus = bus, plugin = plugin](v1::EmittedEvent emitted) {
    publish(bus, plugin, std::move(emitted));
  };
  events.host_call = host;
  events.progress = [&jobs = jobs](const std::string& job, const v1::Progress& told) {
    jobs.progress(job, told.fraction(), told.message());
  };
  events.task = [&jobs = jobs, plugin = plugin, generation = generation](v1::TaskReport report) {
    jobs.report_task(plugin, generation, std::move(report));
  };
  events.pong = [heartbeat = heartbeat](const v1::Pong& pong) {
    heartbeat->heard(pong, std::chrono::steady_clock::now());
  };
  return events;
}

}  // namespace supervisor::lifecycle
