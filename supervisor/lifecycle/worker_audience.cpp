#include "supervisor/lifecycle/worker_audience.h"

#include "supervisor/logs/line_budget.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::lifecycle {
namespace {

constexpr std::size_t max_event_name = 200;
// Of events, which go to everybody who watches, and the bytes of their payloads.
constexpr logs::LineRate event_rate{.lines_per_second = 1000, .bytes_per_second = 8u << 20};

/// What a plugin may emit, and what was dropped since that was told. Of one
/// link, whose events come one at a time.
class EventAllowance {
 public:
  /// False when an event of so many bytes is one too many. `tell` is called
  /// with how many have been, once a second.
  bool spend(std::size_t bytes, const std::function<void(std::uint64_t)>& tell) {
    const auto now = Clock::now();
    if (budget_.spend(bytes, now)) return true;
    ++dropped_;
    if (now - told_ >= std::chrono::seconds(1)) {
      told_ = now;
      tell(std::exchange(dropped_, 0));
    }
    return false;
  }

 private:
  using Clock = logs::LineBudget::Clock;
  logs::LineBudget budget_{event_rate};
  std::uint64_t dropped_ = 0;
  Clock::time_point told_{};
};

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
  events.event = [&bus = bus, plugin = plugin, dropped = events_dropped,
                  allowance = std::make_shared<EventAllowance>()](v1::EmittedEvent emitted) {
    if (allowance->spend(emitted.payload_json().size(), dropped))
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
