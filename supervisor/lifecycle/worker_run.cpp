#include "supervisor/lifecycle/worker_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <set>

#include "supervisor/logs/output_reader.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/digest.h"
#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/pipe.h"
#include "supervisor/sys/process_stat.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/random.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t max_event_name = 200;
// Each time the spawner dies over it; it may be somebody else who ends it.
constexpr int most_launches = 6;

std::int64_t now_unix_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

WorkerRun::WorkerRun(SupervisionContext& context, std::string plugin, std::uint64_t generation,
                     std::shared_ptr<logs::LogBook> log_book, ChangeSignal& changed,
                     v1::PluginOptions plugin_options)
    : context_(context),
      plugin_(std::move(plugin)),
      generation_(generation),
      log_book_(std::move(log_book)),
      changed_(changed),
      plugin_options_(std::move(plugin_options)),
      launch_mark_(context_.instance + ":" + std::to_string(generation_) + ":" + plugin_) {}

WorkerRun::~WorkerRun() = default;

std::shared_ptr<link::WorkerLink> WorkerRun::link() const {
  return expectation_ ? expectation_->link() : nullptr;
}

v1::LaunchRecord WorkerRun::launch_record(const std::string& token) const {
  v1::LaunchRecord record;
  record.set_version(1);
  record.set_plugin(plugin_);
  record.set_generation(generation_);
  record.set_token_digest(sys::sha256(token));
  record.set_launch_mark(launch_mark_);
  record.set_boot_id(context_.boot_id);
  record.set_started_unix_ms(started_unix_ms_);
  *record.mutable_options() = plugin_options_;
  record.set_runtime(runtime_.name);
  return record;
}

Outcome<void> WorkerRun::adopt(LeftLaunch left, v1::Load load) {
  load_ = std::move(load);
  adopted_ = true;
  launch_mark_ = left.record.launch_mark();
  started_unix_ms_ = left.record.started_unix_ms();
  runtime_.name = left.record.runtime();
  pid_namespace_ = left.exit.pid_namespace;
  runtime_dir_.emplace(std::move(left.directory));
  init_ = std::move(left.init);
  limits_ =
      limits::LaunchLimits::adopt(context_.limits, plugin_, generation_,
                                  limits::effective(context_.options.limits, plugin_options_));
  if (!init_) {
    exited_ = true;
    return {};
  }
  try {
    // Whoever was in the middle of printing waits at the pipes still.
    auto out = runtime_dir_->open_pipe("out");
    auto err = runtime_dir_->open_pipe("err");
    expectation_ = context_.links.expect_again({plugin_, generation_}, runtime_dir_->socket_path(),
                                               left.record.token_digest(), link_events(),
                                               plugin_options_.max_in_flight());
    expectation_->set_parent(init_.pid());
    watch(std::move(out), std::move(err));
    limits_->begin_again();
    watch_limits();
  } catch (const std::exception& error) {
    return make_failure(
        v1::REASON_NOT_ADOPTED, "adopt",
        "The worker of plugin '" + plugin_ + "' could not be taken over: " + error.what() + ".",
        "Another is started.", plugin_);
  }
  return {};
}

asio::awaitable<Outcome<void>> WorkerRun::start(v1::Load load, std::chrono::milliseconds budget,
                                                std::function<bool()> is_wanted) {
  load_ = std::move(load);
  const auto place = co_await runtime_.spawner->take_place();
  if (!is_wanted())
    co_return make_failure(v1::REASON_CANCELLED, "fork",
                           "The worker of plugin '" + plugin_ + "' is no longer wanted.", "",
                           plugin_);
  const auto deadline = Clock::now() + budget;
  // Once more when the spawner died over it: with a new socket and token, so
  // that a worker it may have forked still finds no way in.
  auto launched = co_await launch(place, deadline);
  for (int count = 1; launched.has_error(); ++count) {
    expectation_.reset();
    if (count == most_launches || Clock::now() >= deadline || !runtime_.spawner->may_recover())
      break;
    launched = co_await launch(place, deadline);
  }
  co_return launched;
}

asio::awaitable<Outcome<void>> WorkerRun::launch(const spawner::Spawner::Place& place,
                                                 Clock::time_point deadline) {
  const auto& options = context_.options;
  spawner::SpawnOrder order;
  order.plugin = plugin_;
  order.generation = generation_;
  order.command = runtime_.command;
  // What exec'ed children inherit; see Orphans.
  order.environment.push_back(std::string(launch_mark_variable) + "=" + launch_mark_);
  RuntimeDir::Pipe out;
  RuntimeDir::Pipe err;
  sys::UniqueFd token_pipe;
  sys::UniqueFd exit_record;
  std::optional<Failure> failure;
  try {
    // The generation alone is no name: every plugin counts its own.
    runtime_dir_.reset();
    runtime_dir_.emplace(options.runtime_dir, std::to_string(context_.next_launch++));
    sys::fault_point("start.directory");
    out = runtime_dir_->make_pipe("out");
    err = runtime_dir_->make_pipe("err");
    const auto record = runtime_dir_->exit_record_path();
    exit_record = sys::UniqueFd(sys::checked("open " + record.string(), [&] {
      return ::open(record.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    }));
    const auto token = sys::random_bytes(32);
    started_unix_ms_ = now_unix_us() / 1000;
    token_pipe = sys::pipe_holding(token);
    // Last of the files: with it, the launch may have forked.
    sys::replace_file(runtime_dir_->launch_record_path(), launch_record(token).SerializeAsString(),
                      0600);
    order.socket_path = runtime_dir_->socket_path().string();
    expectation_ = context_.links.expect({plugin_, generation_}, runtime_dir_->socket_path(), token,
                                         link_events(), plugin_options_.max_in_flight());
  } catch (const std::exception& error) {
    failure = make_failure(
        v1::REASON_LAUNCH_FAILED, "link",
        "The socket of plugin '" + plugin_ + "' could not be made: " + error.what() + ".",
        "Check the runtime directory: it must be writable and its path short.", plugin_);
  }
  if (failure) co_return *failure;
  sys::fault_point("start.recorded");
  order.out = out.write.get();
  order.err = err.write.get();
  order.token = token_pipe.get();
  order.exit_record = exit_record.get();
  if (!limits_)
    limits_ = std::make_shared<limits::LaunchLimits>(
        context_.limits, plugin_, generation_, limits::effective(options.limits, plugin_options_));
  const auto way_in = limits_->way_in();
  order.task_files.reserve(way_in.tasks.size());
  for (const auto& file : way_in.tasks) order.task_files.push_back(file.get());
  order.group = way_in.group.get();
  order.open_files = limits_->open_files();
  auto spawning = runtime_.spawner->spawn(place, std::move(order), deadline);
  auto spawned = co_await std::move(spawning);
  if (spawned.has_error()) co_return spawned.error();
  sys::fault_point("start.forked");
  init_ = std::move(spawned.value().init);
  pid_namespace_ = spawned.value().pid_namespace;
  steps_.set_fork_us(since_start());
  context_.meters.forks.Increment();
  expectation_->set_parent(init_.pid());
  watch(std::move(out.read), std::move(err.read));
  watch_limits();
  logs::log_event(spdlog::level::info, "worker.forked",
                  {{"plugin", plugin_},
                   {"generation", generation_},
                   {"init_pid", init_.pid()},
                   {"clone_us", spawned.value().fork_time.count()},
                   {"pid_namespace", pid_namespace_}});
  co_return Outcome<void>();
}

void WorkerRun::watch(sys::UniqueFd out, sys::UniqueFd err) {
  out_.emplace(context_.core, out.release());
  err_.emplace(context_.core, err.release());
  // A second descriptor: Asio closes the one it holds.
  exit_watch_.emplace(context_.core, ::dup(init_.fd()));
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
}

void WorkerRun::watch_limits() {
  limits::LimitWatch::Launch launch;
  launch.limits = limits_;
  launch.init = init_.pid();
  launch.say = [self = weak_from_this()](const std::string& what) {
    if (const auto run = self.lock()) run->say(v1::LOG_LEVEL_WARNING, what);
  };
  launch.end = [self = weak_from_this()] {
    if (const auto run = self.lock()) run->end_over_limit();
  };
  context_.limit_watch.add(std::move(launch));
}

// What is left of it then is finish()'s to end.
void WorkerRun::end_over_limit() {
  if (!init_ || exited_) return;
  if (!pid_namespace_) sys::kill_descendants(init_.pid());
  init_.send_signal(SIGKILL);
}

std::uint32_t WorkerRun::since_start() const {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun_).count());
}

void WorkerRun::take_attached(const v1::Hello& hello) {
  attached_ = true;
  sys::fault_point("start.attached");
  if (!adopted_) steps_.set_attach_us(since_start() - steps_.fork_us());
  try {
    worker_ = sys::Pidfd::open(expectation_->peer_pid());
    // The descriptor may be of another process by now, if the worker has ended.
    const auto stat = sys::process_stat(worker_.pid());
    if (!stat || stat->parent != init_.pid()) worker_ = {};
  } catch (const std::system_error&) {
    worker_ = {};  // It has ended; the init will, too.
  }
  if (worker_) limits_->confirm(worker_.pid());
  if (adopted_ && hello.has_resumed()) {
    stopping_ = hello.resumed().stopping();
    loaded_ = hello.resumed().loaded();
    for (const auto& call : hello.resumed().calls())
      context_.jobs.carry(call.job_id(), link(), call.call_id());
    return;
  }
  link()->load(load_);
}

void WorkerRun::take_loaded(v1::Loaded loaded) {
  if (loaded_) return;
  sys::fault_point("start.loaded");
  steps_.set_import_us(loaded.import_us());
  steps_.set_construct_us(loaded.construct_us());
  steps_.set_total_us(since_start());
  // The worker's own figures are not trusted to fit into ours.
  const std::uint64_t told = std::uint64_t{steps_.fork_us()} + steps_.attach_us() +
                             loaded.import_us() + loaded.construct_us();
  if (told <= steps_.total_us())
    steps_.set_ready_us(steps_.total_us() - static_cast<std::uint32_t>(told));
  loaded_ = std::move(loaded);
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

asio::awaitable<std::string> WorkerRun::ask_for_stacks(Clock::time_point deadline) {
  const auto asked = stacks_seen_;
  if (const auto to = link()) to->dump_stacks();
  while (stacks_seen_ == asked && !exited_) {
    const bool woken = co_await changed_.changed_since(changed_.version(), deadline);
    if (!woken) break;
  }
  co_return stacks_seen_ == asked ? std::string() : stacks_;
}

asio::awaitable<void> WorkerRun::read_pipe(asio::posix::stream_descriptor& pipe,
                                           v1::LogSource source) {
  co_await logs::read_output(pipe, *log_book_, source, generation_);
  --open_pipes_;
  changed_.notify();
}

asio::awaitable<void> WorkerRun::await_exit() {
  // A pidfd becomes readable when the process has ended; it is not reaped yet,
  // so that its pid and group still belong to it (pidfd_open(2)).
  const auto [error] =
      co_await exit_watch_->async_wait(asio::posix::stream_descriptor::wait_read, no_throw);
  if (error) co_return;  // finish() waits no longer.
  exited_ = true;
  changed_.notify();
}

asio::awaitable<bool> WorkerRun::exited_by(Clock::time_point deadline, bool unless_hurried) {
  while (!exited_ && !(unless_hurried && hurried_)) {
    const auto seen = changed_.version();
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) break;
  }
  co_return exited_;
}

void WorkerRun::begin_report(std::string reason, std::chrono::milliseconds budget) {
  stop_budget_.emplace(Clock::now(), budget);
  stop_report_ = {};
  stop_report_.set_reason(std::move(reason));
  stop_report_.set_time_unix_ms(now_unix_us() / 1000);
}

asio::awaitable<void> WorkerRun::stop(std::string reason, std::chrono::milliseconds budget) {
  begin_report(std::move(reason), budget);
  if (attached_ && !link_lost_ && budget > 0ms) co_await ask_to_stop();
  if (!exited_ && !hurried_) co_await terminate();
  if (!exited_) co_await kill_all();
}

asio::awaitable<void> WorkerRun::kill(std::string reason) {
  begin_report(std::move(reason), 0ms);
  co_await kill_all();
}

// The worker lets calls under way finish for a while, cancels those that go on,
// and runs stop() of the plugin.
asio::awaitable<void> WorkerRun::ask_to_stop() {
  const auto stat = worker_ ? sys::process_stat(worker_.pid()) : std::nullopt;
  if (stat && stat->state == 'T') {
    // It would not hear us.
    stop_report_.add_steps("sigcont");
    worker_.send_signal(SIGCONT);
  }
  if (link()->in_flight() > 0) stop_report_.add_steps("drain");
  stop_report_.add_steps("stop");
  link()->stop(stop_report_.reason(), std::chrono::duration_cast<std::chrono::milliseconds>(
                                          stop_budget_->term_at - Clock::now()));
  sys::fault_point("stop.asked");
  co_await exited_by(stop_budget_->term_at, true);
}

asio::awaitable<void> WorkerRun::terminate() {
  stop_report_.set_forced(true);
  if (!worker_) co_return;
  stop_report_.add_steps("sigterm");
  worker_.send_signal(SIGTERM);
  // A stopped process takes SIGTERM only once it runs again.
  worker_.send_signal(SIGCONT);
  sys::fault_point("stop.sigterm");
  co_await exited_by(stop_budget_->kill_at, true);
}

asio::awaitable<void> WorkerRun::kill_all() {
  stop_report_.set_forced(true);
  stop_report_.add_steps("sigkill");
  // Not later than planned, and when it was hurried, not later than that allows.
  const auto gone_by = std::min(stop_budget_->gone_by, Clock::now() + StopBudget::kill_window);
  if (pid_namespace_) {
    // Nothing in the namespace outlives its init, and the init is seen to have
    // ended only after the others (pid_namespaces(7)).
    init_.send_signal(SIGKILL);
    sys::fault_point("stop.sigkill");
    co_await exited_by(gone_by);
    co_return;
  }
  // The init ends with its last descendant, and does the same from below.
  constexpr auto pause = 5ms;
  while (!exited_ && Clock::now() < gone_by) {
    if (worker_) worker_.send_signal_to_group(SIGKILL);
    sys::kill_descendants(init_.pid());
    co_await exited_by(std::min(Clock::now() + pause, gone_by));
  }
  sys::fault_point("stop.sigkill");
  // What it still has falls to us.
  if (!exited_) init_.send_signal(SIGKILL);
  co_await exited_by(gone_by + 20ms);
}

asio::awaitable<void> WorkerRun::finish() {
  if (!stop_budget_) stop_budget_.emplace(Clock::now(), 0ms);
  std::vector<pid_t> surviving;
  sys::fault_point("stop.exited");
  if (exited_) {
    // Another's child is reaped by whoever has become its parent.
    if (!adopted_) exit_status_ = init_.reap();
  } else {
    // Killed, and yet there: it hangs in the kernel, or a debugger holds it. It
    // is reaped with the orphans when it ends.
    exit_watch_->close();
    surviving = sys::descendants_of(init_.pid());
    surviving.push_back(init_.pid());
  }
  sys::fault_point("stop.reaped");
  const auto record = ExitRecord::read(runtime_dir_->exit_record_path());
  init_failure_ = record.failed_step;
  if (record.status) exit_status_ = record.status;
  // An init blocks every signal and writes before it ends: it was killed.
  if (!exit_status_) exit_status_ = sys::ExitStatus{.signalled = true, .code = SIGKILL};
  limit_cause_ = limits_->cause(exit_status_->signalled, exit_status_->code);
  int orphans = co_await end_orphans(surviving);
  // Whoever has wiped out its mark is in the launch's groups all the same.
  orphans += limits_->kill_all();
  if (!surviving.empty()) tell_survivors(surviving);
  const bool died = exit_status_->signalled || exit_status_->code != 0;
  if (!stop_report_.reason().empty() && !stop_report_.forced() && died) {
    stop_report_.add_steps("died");
    say(v1::LOG_LEVEL_WARNING,
        "ended by " +
            (exit_status_->signalled
                 ? sys::signal_name(exit_status_->code)
                 : "itself with exit code " + std::to_string(exit_status_->code)) +
            " while it was being stopped");
  }
  // What was printed last is in the pipes still. A process that escaped with
  // the write end open must not hold us.
  const auto deadline = Clock::now() + StopBudget::last_lines;
  while (open_pipes_ > 0) {
    const auto seen = changed_.version();
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) break;
  }
  if (out_) out_->close();
  if (err_) err_->close();
  while (open_pipes_ > 0) co_await changed_.changed_since(changed_.version());
  stop_report_.set_ms(static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - stop_budget_->began)
          .count()));
  boost::json::array steps;
  for (const auto& step : stop_report_.steps()) steps.emplace_back(step);
  logs::log_event(spdlog::level::info, "worker.ended",
                  {{"plugin", plugin_},
                   {"generation", generation_},
                   {"reason", stop_report_.reason()},
                   {"steps", boost::json::serialize(steps)},
                   {"orphans", orphans},
                   {"ms", stop_report_.ms()}});
}

// Ends what the launch has left outside of a PID namespace: inside, the end of
// the init was the kernel's word that all are gone. Returns how many there
// were; what does not end is added to `surviving`.
asio::awaitable<int> WorkerRun::end_orphans(std::vector<pid_t>& surviving) {
  if (pid_namespace_) co_return 0;
  // An init that was killed leaves its worker to us.
  if (worker_) {
    worker_.send_signal_to_group(SIGKILL);
    sys::kill_descendants(worker_.pid());
    worker_.send_signal(SIGKILL);
  }
  constexpr auto pause = 5ms;
  std::set<int> ended;
  const auto deadline = std::max(stop_budget_->gone_by, Clock::now() + 100ms);
  for (;;) {
    // Those of a worker that was taken over fall to whoever is their parent now.
    const auto found =
        adopted_ ? context_.orphans.end_anywhere(launch_mark_) : context_.orphans.end(launch_mark_);
    ended.insert(found.begin(), found.end());
    if (found.empty()) break;
    if (Clock::now() >= deadline) {
      surviving.insert(surviving.end(), found.begin(), found.end());
      break;
    }
    co_await changed_.changed_since(changed_.version(), Clock::now() + pause);
  }
  if (!ended.empty()) stop_report_.add_steps("orphans");
  co_return static_cast<int>(ended.size());
}

// The one thing a stop cannot do is end a process that the kernel does not.
void WorkerRun::tell_survivors(const std::vector<pid_t>& surviving) {
  stop_report_.set_forced(true);
  stop_report_.add_steps("survivors");
  boost::json::array shown;
  std::string text;
  for (const pid_t pid : surviving) {
    const auto stat = sys::process_stat(pid);
    const std::string state = stat ? std::string(1, stat->state) : "gone";
    shown.emplace_back(std::to_string(pid) + " " + state);
    text += " " + std::to_string(pid) + " (" + state + ")";
  }
  say(v1::LOG_LEVEL_ERROR, "was killed, but these processes have not ended:" + text +
                               ". They hang in the kernel (state D), or a debugger holds them.");
  logs::log_event(spdlog::level::critical, "worker.survives",
                  {{"plugin", plugin_},
                   {"generation", generation_},
                   {"processes", boost::json::serialize(shown)}});
}

void WorkerRun::say(v1::LogLevel level, std::string text) {
  v1::LogLine line;
  line.set_time_unix_us(now_unix_us());
  line.set_level(level);
  line.set_source(v1::LOG_SOURCE_SUPERVISOR);
  line.set_generation(generation_);
  line.set_text(std::move(text));
  log_book_->append(std::move(line));
}

Failure WorkerRun::death(const std::string& step) const {
  Failure failure;
  const std::string who = "The worker of plugin '" + plugin_ + "' ";
  if (init_failure_.starts_with("exec: ") && !runtime_.command.empty()) {
    failure =
        make_failure(v1::REASON_LAUNCH_FAILED, "exec",
                     who + "could not execute " + runtime_.command.front() + ": " +
                         init_failure_.substr(6) + ".",
                     "Check the interpreter that \"runtime\" in its plugin.json names.", plugin_);
  } else if (!init_failure_.empty()) {
    failure = make_failure(v1::REASON_LAUNCH_FAILED, "isolate",
                           who + "could not be set up: " + init_failure_ + ".", "", plugin_);
  } else if (limit_cause_) {
    failure = *limit_cause_;
    failure.set_step(step);
    if (exit_status_->signalled) failure.set_signal(sys::signal_name(exit_status_->code));
    if (!exit_status_->signalled) failure.set_exit_code(exit_status_->code);
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
  for (auto& text : last_texts()) failure.add_evidence(std::move(text));
  return failure;
}

std::vector<std::string> WorkerRun::last_texts() const {
  return log_book_->last_texts(generation_, logs::LogBook::evidence_lines);
}

}  // namespace supervisor::lifecycle
