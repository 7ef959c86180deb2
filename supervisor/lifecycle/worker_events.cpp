// What a WorkerRun hears over its link, and where it goes.
#include <boost/asio/post.hpp>
#include <mutex>

#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/line_budget.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

constexpr std::size_t max_event_name = 200;
// Of events, which go to everybody who watches, and the bytes of their payloads.
constexpr logs::LineRate event_rate{.lines_per_second = 1000, .bytes_per_second = 8u << 20};

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

/// What a plugin may emit, and what was dropped since that was told. Of one
/// link, whose events come one at a time.
struct EventAllowance {
  using Clock = logs::LineBudget::Clock;
  logs::LineBudget budget{event_rate};
  std::uint64_t dropped = 0;
  Clock::time_point told{};
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
  events.log = [book = log_book_, generation = generation_](v1::LogBatch batch) {
    book->take_logged(std::move(batch), generation);
  };
  events.event = [&bus = context_.bus, plugin = plugin_, post,
                  allowance = std::make_shared<EventAllowance>()](v1::EmittedEvent emitted) {
    const auto now = EventAllowance::Clock::now();
    const auto bytes = emitted.payload_json().size();
    if (!allowance->budget.spend(bytes, now)) {
      ++allowance->dropped;
      if (now - allowance->told < std::chrono::seconds(1)) return;
      allowance->told = now;
      post([dropped = std::exchange(allowance->dropped, 0)](WorkerRun& run) {
        run.say(v1::LOG_LEVEL_WARNING, std::to_string(dropped) +
                                           " events were dropped: the plugin emits more than it "
                                           "may");
      });
      return;
    }
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
