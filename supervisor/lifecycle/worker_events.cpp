// What a WorkerRun hears over its link, and where it goes.
#include <boost/asio/post.hpp>

#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_event_name = 200;

}  // namespace

link::LinkEvents WorkerRun::link_events() {
  // Posted with a weak pointer: a late message of an ended run changes nothing.
  const auto post = [core = context_.core, self = weak_from_this()](auto change) {
    asio::post(core, [self, change = std::move(change)]() mutable {
      if (const auto run = self.lock()) {
        change(*run);
        run->changed_.notify();
      }
    });
  };
  make_heartbeat();
  link::LinkEvents events;
  events.attached = [post](const v1::Hello& hello) {
    post([hello](WorkerRun& run) { run.take_attached(hello); });
  };
  events.owed = [&jobs = context_.jobs, plugin = plugin_, generation = generation_,
                 call_timeout = context_.options.call_timeout](const v1::OwedCall& call) {
    link::OwedAnswer answer;
    if (!call.keep_result()) answer.deadline = Clock::now() + call_timeout;
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
  events.loaded = [post](v1::Loaded loaded) {
    post([loaded = std::move(loaded)](WorkerRun& run) { run.take_loaded(loaded); });
  };
  events.load_failed = [post](Failure failure) {
    post([failure = std::move(failure)](WorkerRun& run) { run.load_failed_ = failure; });
  };
  events.metadata_changed = [post](v1::Loaded loaded) {
    post([loaded = std::move(loaded)](WorkerRun& run) { run.metadata_changed_ = loaded; });
  };
  events.log = [book = log_book_, generation = generation_](v1::LogBatch batch) {
    book->take_logged(std::move(batch), generation);
  };
  events.event = [&bus = context_.bus, plugin = plugin_](v1::EmittedEvent emitted) {
    if (emitted.name().empty() || emitted.name().size() > max_event_name) return;
    if (!sys::json_error(emitted.payload_json()).empty()) return;
    v1::WatchEvent event;
    auto& plugin_event = *event.mutable_plugin_event();
    plugin_event.set_plugin(plugin);
    plugin_event.set_event(logs::printable_text(emitted.name()));
    plugin_event.set_payload_json(std::move(*emitted.mutable_payload_json()));
    bus.publish(std::move(event));
  };
  // Answered over whichever link the run has by then.
  events.host_call =
      [caller = context_.host.open(plugin_, [self = weak_from_this()](v1::HostAnswer answer) {
        const auto run = self.lock();
        if (const auto to = run ? run->link() : nullptr) to->answer_host(std::move(answer));
      })](v1::HostCall call) { caller->take(std::move(call)); };
  events.progress = [&jobs = context_.jobs](const std::string& job, const v1::Progress& told) {
    jobs.progress(job, told.fraction(), told.message());
  };
  events.task = [&jobs = context_.jobs, plugin = plugin_,
                 generation = generation_](v1::TaskReport report) {
    jobs.report_task(plugin, generation, std::move(report));
  };
  events.pong = [heartbeat = heartbeat_](const v1::Pong& pong) {
    heartbeat->heard(pong, Clock::now());
  };
  events.stopped = [post](v1::Stopped stopped) {
    post([stopped = std::move(stopped)](WorkerRun& run) {
      if (stopped.has_failure())
        logs::log_event(spdlog::level::warn, "plugin.stop_raised",
                        {{"plugin", run.plugin_}, {"error", stopped.failure().message()}});
    });
  };
  events.stacks = [post](std::string text) {
    post([text = std::move(text)](WorkerRun& run) {
      run.stacks_ = logs::printable_lines(text);
      ++run.stacks_seen_;
    });
  };
  events.stuck = [post](const std::string& name, std::chrono::milliseconds since) {
    post([name, since](WorkerRun& run) { run.stuck_ = StuckCall{name, since}; });
  };
  events.lost = [post] { post([](WorkerRun& run) { run.link_lost_ = true; }); };
  return events;
}

}  // namespace supervisor::lifecycle
