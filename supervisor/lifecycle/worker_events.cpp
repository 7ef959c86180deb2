// What a WorkerRun hears over its link, and where it goes.
#include <boost/asio/post.hpp>
#include <mutex>

#include "supervisor/lifecycle/worker_audience.h"
#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

/// Of what a worker says again and again only the last is of interest: however
/// often it says it, one look at it waits for the core thread.
template <typename Value>
class Latest {
 public:
  /// True when nobody is on the way to take() yet.
  bool put(Value value) {
    const std::lock_guard lock(mutex_);
    const bool is_first = !value_;
    value_ = std::move(value);
    return is_first;
  }
  Value take() {
    const std::lock_guard lock(mutex_);
    return *std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<Value> value_;
};

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
      .events_dropped =
          [post](std::uint64_t count) {
            post([count](WorkerRun& run) {
              run.say(v1::LOG_LEVEL_WARNING,
                      std::to_string(count) +
                          " events were dropped: the plugin emits more than it may");
            });
          },
      .heartbeat = heartbeat_,
      .call_timeout = context_.options.call_timeout};
  auto events = audience.events();
  events.attached = [post](const v1::Hello& hello) {
    post([hello](WorkerRun& run) { run.take_attached(hello); });
  };
  events.loaded = [post, latest = std::make_shared<Latest<v1::Loaded>>()](v1::Loaded loaded) {
    if (latest->put(std::move(loaded)))
      post([latest](WorkerRun& run) { run.take_loaded(latest->take()); });
  };
  events.load_failed = [post, latest = std::make_shared<Latest<Failure>>()](Failure failure) {
    if (latest->put(std::move(failure)))
      post([latest](WorkerRun& run) { run.load_failed_ = latest->take(); });
  };
  events.metadata_changed = [post,
                             latest = std::make_shared<Latest<v1::Loaded>>()](v1::Loaded loaded) {
    if (latest->put(std::move(loaded)))
      post([latest](WorkerRun& run) { run.metadata_changed_ = latest->take(); });
  };
  events.stopped = [post, latest = std::make_shared<Latest<v1::Stopped>>()](v1::Stopped told) {
    if (!latest->put(std::move(told))) return;
    post([latest](WorkerRun& run) {
      const auto stopped = latest->take();
      if (stopped.has_failure())
        logs::log_event(spdlog::level::warn, "plugin.stop_raised",
                        {{"plugin", run.plugin_},
                         {"error", run.log_book_->without_secrets(stopped.failure().message())}});
    });
  };
  events.stacks = [post, latest = std::make_shared<Latest<std::string>>()](std::string text) {
    if (!latest->put(std::move(text))) return;
    post([latest](WorkerRun& run) {
      run.stacks_ = logs::printable_lines(latest->take());
      ++run.stacks_seen_;
    });
  };
  events.stuck = [post](const std::string& name, std::chrono::milliseconds since) {
    post([name, since](WorkerRun& run) { run.stuck_ = StuckCall{name, since}; });
  };
  events.cut = [post](const std::string& why) {
    post([why](WorkerRun& run) { run.cut_because_ = why; });
  };
  events.lost = [post] { post([](WorkerRun& run) { run.link_lost_ = true; }); };
  return events;
}

}  // namespace supervisor::lifecycle
