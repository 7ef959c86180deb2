// What a WorkerRun hears over its link, and where it goes.
#include <boost/asio/post.hpp>

#include "supervisor/lifecycle/worker_audience.h"
#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

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
  // Answered over whichever link the run has by then.
  const auto caller = context_.host.open(plugin_, [self = weak_from_this()](v1::HostAnswer answer) {
    const auto run = self.lock();
    if (const auto to = run ? run->link() : nullptr) to->answer_host(std::move(answer));
  });
  const WorkerAudience audience{
      .plugin = plugin_,
      .generation = generation_,
      .log_book = log_book_,
      .jobs = context_.jobs,
      .bus = context_.bus,
      .host = [caller](v1::HostCall call) { caller->take(std::move(call)); },
      .heartbeat = heartbeat_,
      .call_timeout = context_.options.call_timeout};
  auto events = audience.events();
  events.attached = [post](const v1::Hello& hello) {
    post([hello](WorkerRun& run) { run.take_attached(hello); });
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
