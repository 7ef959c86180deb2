#include "supervisor/lifecycle/worker_run.h"

#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "supervisor/logs/line_splitter.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/random.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t evidence_lines = 20;
constexpr std::size_t max_event_name = 200;

std::int64_t now_unix_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A worker's words are hostile until they are printable and say who sent them.
v1::LogLine cleaned(v1::LogLine line, std::uint64_t generation) {
  line.set_text(logs::printable_text(line.text()));
  line.set_logger(logs::printable_text(line.logger(), 200));
  line.set_generation(generation);
  if (line.time_unix_us() <= 0) line.set_time_unix_us(now_unix_us());
  line.set_source(v1::LOG_SOURCE_LOGGER);
  return line;
}

}  // namespace

WorkerRun::WorkerRun(SupervisionContext& context, std::string plugin, std::uint64_t generation,
                     std::shared_ptr<logs::LogBook> log_book, ChangeSignal& changed)
    : context_(context),
      plugin_(std::move(plugin)),
      generation_(generation),
      log_book_(std::move(log_book)),
      changed_(changed) {}

WorkerRun::~WorkerRun() = default;

std::shared_ptr<link::WorkerLink> WorkerRun::link() const {
  return expectation_ ? expectation_->link() : nullptr;
}

std::string WorkerRun::launch_mark() const {
  return context_.instance + ":" + std::to_string(generation_) + ":" + plugin_;
}

Outcome<void> WorkerRun::start(v1::Load load) {
  load_ = std::move(load);
  const auto& options = context_.options;
  LaunchPlan plan;
  plan.python = options.python;
  plan.shim_dir = options.shim_dir;
  plan.plugin = plugin_;
  plan.generation = generation_;
  plan.token = sys::random_bytes(32);
  plan.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                      "LANG=C.UTF-8", "HOME=/nonexistent", "PYTHONUNBUFFERED=1",
                      // The plugin's directory is not the worker's to write.
                      "PYTHONDONTWRITEBYTECODE=1",
                      "DISPATCHARR_PLUGINS_DIR=" + options.plugins_dir.string(),
                      std::string(launch_mark_variable) + "=" + launch_mark()};
  for (const auto& variable : options.worker_environment) plan.environment.push_back(variable);
  try {
    // The generation alone is no name: every plugin counts its own.
    runtime_dir_.emplace(options.runtime_dir, std::to_string(context_.next_launch++));
    plan.socket = runtime_dir_->socket_path();
    expectation_ =
        context_.links.expect({plugin_, generation_}, plan.socket, plan.token, link_events());
  } catch (const std::exception& error) {
    return make_failure(
        v1::REASON_LAUNCH_FAILED, "link",
        "The socket of plugin '" + plugin_ + "' could not be made: " + error.what() + ".",
        "Check the runtime directory: it must be writable and its path short.", plugin_);
  }
  auto launched = launch_worker(plan);
  if (launched.has_error()) {
    expectation_.reset();
    return launched.error();
  }
  auto& worker = launched.value();
  process_ = std::move(worker.process);
  expectation_->set_pid(process_.pid());
  out_.emplace(context_.core, worker.out.release());
  err_.emplace(context_.core, worker.err.release());
  // A second descriptor: Asio closes the one it holds.
  exit_watch_.emplace(context_.core, ::dup(process_.fd()));
  open_pipes_ = 2;
  const auto keep = shared_from_this();
  asio::co_spawn(
      context_.core, [keep] { return keep->read_pipe(*keep->out_, v1::LOG_SOURCE_STDOUT); },
      asio::detached);
  asio::co_spawn(
      context_.core, [keep] { return keep->read_pipe(*keep->err_, v1::LOG_SOURCE_STDERR); },
      asio::detached);
  asio::co_spawn(
      context_.core, [keep] { return keep->await_exit(); }, asio::detached);
  logs::log_event(spdlog::level::info, "worker.launched",
                  {{"plugin", plugin_}, {"generation", generation_}, {"pid", process_.pid()}});
  return {};
}

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
  link::LinkEvents events;
  events.attached = [post](const v1::Hello&) {
    post([](WorkerRun& run) {
      run.attached_ = true;
      if (const auto link = run.link()) link->load(run.load_);
    });
  };
  events.loaded = [post](v1::Loaded loaded) {
    post([loaded = std::move(loaded)](WorkerRun& run) {
      if (!run.loaded_) run.loaded_ = loaded;
    });
  };
  events.load_failed = [post](Failure failure) {
    post([failure = std::move(failure)](WorkerRun& run) { run.load_failed_ = failure; });
  };
  events.metadata_changed = [post](v1::Loaded loaded) {
    post([loaded = std::move(loaded)](WorkerRun& run) { run.metadata_changed_ = loaded; });
  };
  events.log = [book = log_book_, generation = generation_](v1::LogBatch batch) {
    for (auto& line : *batch.mutable_lines()) book->append(cleaned(std::move(line), generation));
    if (batch.dropped() > 0) {
      v1::LogLine line;
      line.set_time_unix_us(now_unix_us());
      line.set_level(v1::LOG_LEVEL_WARNING);
      line.set_source(v1::LOG_SOURCE_SUPERVISOR);
      line.set_generation(generation);
      line.set_text(std::to_string(batch.dropped()) + " log lines were dropped");
      book->append(std::move(line));
    }
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
  events.pong = [](std::uint64_t) {};
  events.stopped = [post](v1::Stopped stopped) {
    post([stopped = std::move(stopped)](WorkerRun& run) {
      if (stopped.has_failure())
        logs::log_event(spdlog::level::warn, "plugin.stop_raised",
                        {{"plugin", run.plugin_}, {"error", stopped.failure().message()}});
    });
  };
  events.lost = [post] { post([](WorkerRun& run) { run.link_lost_ = true; }); };
  return events;
}

asio::awaitable<void> WorkerRun::read_pipe(asio::posix::stream_descriptor& pipe,
                                           v1::LogSource source) {
  logs::LineSplitter lines([this, source](std::string text) {
    v1::LogLine line;
    line.set_time_unix_us(now_unix_us());
    line.set_level(source == v1::LOG_SOURCE_STDERR ? v1::LOG_LEVEL_WARNING : v1::LOG_LEVEL_INFO);
    line.set_source(source);
    line.set_generation(generation_);
    line.set_text(std::move(text));
    log_book_->append(std::move(line));
  });
  std::vector<char> buffer(65536);
  for (;;) {
    const auto [error, count] = co_await pipe.async_read_some(asio::buffer(buffer), no_throw);
    if (error) break;
    lines.feed({buffer.data(), count});
  }
  lines.finish();
  --open_pipes_;
  changed_.notify();
}

asio::awaitable<void> WorkerRun::await_exit() {
  // A pidfd becomes readable when the process has ended; it is not reaped yet,
  // so that its pid and group still belong to it (pidfd_open(2)).
  co_await exit_watch_->async_wait(asio::posix::stream_descriptor::wait_read, no_throw);
  exited_ = true;
  changed_.notify();
}

asio::awaitable<bool> WorkerRun::exited_by(Clock::time_point deadline) {
  while (!exited_) {
    const auto seen = changed_.version();
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) break;
  }
  co_return exited_;
}

asio::awaitable<void> WorkerRun::stop(std::string reason, std::chrono::milliseconds budget) {
  const auto began = Clock::now();
  std::string step = "clean";
  const bool can_ask = attached_ && !link_lost_ && budget > 0ms;
  if (can_ask) link()->stop(reason, budget);
  bool ended = false;
  if (can_ask) ended = co_await exited_by(began + budget);
  if (!ended) {
    step = "sigterm";
    process_.send_signal(SIGTERM);
    // A stopped process takes SIGTERM only once it runs again.
    process_.send_signal(SIGCONT);
    ended = co_await exited_by(Clock::now() + context_.options.kill_after);
    if (!ended) {
      step = "sigkill";
      process_.send_signal(SIGKILL);
      co_await exited_by(Clock::time_point::max());
    }
  }
  logs::log_event(
      spdlog::level::info, "worker.stopped",
      {{"plugin", plugin_},
       {"generation", generation_},
       {"reason", reason},
       {"step", step},
       {"ms",
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count()}});
}

asio::awaitable<void> WorkerRun::finish() {
  // The leader is a zombie until reaped below: the group's number is still its.
  ::kill(-process_.pid(), SIGKILL);
  exit_status_ = process_.reap();
  const int orphans = context_.orphans.end(launch_mark());
  if (orphans > 0)
    logs::log_event(spdlog::level::warn, "worker.orphans_ended",
                    {{"plugin", plugin_}, {"generation", generation_}, {"count", orphans}});
  // What was printed last is in the pipes still. A process that escaped with
  // the write end open must not hold us.
  const auto deadline = Clock::now() + 250ms;
  while (open_pipes_ > 0) {
    const auto seen = changed_.version();
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) break;
  }
  out_->close();
  err_->close();
  while (open_pipes_ > 0) co_await changed_.changed_since(changed_.version());
}

Failure WorkerRun::death(const std::string& step) const {
  Failure failure;
  const std::string who = "The worker of plugin '" + plugin_ + "' ";
  if (!exit_status_) {
    failure =
        make_failure(v1::REASON_LINK_LOST, step, who + "is no longer connected.", "", plugin_);
  } else if (exit_status_->signalled) {
    const auto signal = sys::signal_name(exit_status_->code);
    failure =
        make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, step, who + "was ended by " + signal + ".",
                     "See the plugin's log for what it did last.", plugin_);
    failure.set_signal(signal);
  } else {
    failure = make_failure(
        v1::REASON_WORKER_EXITED, step,
        who + "ended by itself with exit code " + std::to_string(exit_status_->code) + ".",
        "See the plugin's log for what it did last.", plugin_);
    failure.set_exit_code(exit_status_->code);
  }
  for (auto& text : log_book_->last_texts(generation_, evidence_lines))
    failure.add_evidence(std::move(text));
  return failure;
}

}  // namespace supervisor::lifecycle
