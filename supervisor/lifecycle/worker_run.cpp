#include "supervisor/lifecycle/worker_run.h"

#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "supervisor/logs/output_reader.h"
#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

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

Outcome<void> WorkerRun::adopt(LeftLaunch left, v1::Load load) {
  load_ = std::move(load);
  adopted_ = true;
  launch_mark_ = left.record.launch_mark();
  started_unix_ms_ = left.record.started_unix_ms();
  runtime_.name = left.record.runtime();
  sandbox_ = WorkerSandbox::read(left.record);
  pid_namespace_ = left.exit.pid_namespace;
  runtime_dir_.emplace(std::move(left.directory));
  end_was_wanted_ = runtime_dir_->take_wanted_end();
  init_ = std::move(left.init);
  // Supervisors before ours may not have written it down.
  const auto group = left.record.group().empty()
                         ? limits::LimitSupport::group_name(plugin_, generation_)
                         : left.record.group();
  limits_ = limits::LaunchLimits::adopt(context_.limits, plugin_, group, wanted_limits());
  if (!init_) {
    exited_ = true;
    return {};
  }
  network_ = std::make_unique<WorkerNetwork>(context_.names, sandbox_.permissions.network());
  try {
    // Whoever was in the middle of printing waits at the pipes still.
    auto out = runtime_dir_->open_pipe("out");
    auto err = runtime_dir_->open_pipe("err");
    expectation_ = context_.links.expect_again({plugin_, generation_}, runtime_dir_->socket_path(),
                                               left.record.token_digest(), link_events(),
                                               plugin_options_.max_in_flight());
    sandbox_.open_way(runtime_dir_->path());
    expectation_->set_parent(init_.pid());
    watch(std::move(out), std::move(err));
    limits_->begin_again();
    if (sandbox_.wants_filter())
      network_->enforce_again(limits_->unified_group(), hosts_file(*runtime_dir_));
    watch_limits();
  } catch (const std::exception& error) {
    return make_failure(
        v1::REASON_NOT_ADOPTED, "adopt",
        "The worker of plugin '" + plugin_ + "' could not be taken over: " + error.what() + ".",
        "Another is started.", plugin_);
  }
  return {};
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
  launch.goes_on = [self = weak_from_this()] {
    const auto run = self.lock();
    return run && run->goes_on();
  };
  launch.say = [self = weak_from_this()](const std::string& what) {
    if (const auto run = self.lock()) run->say(v1::LOG_LEVEL_WARNING, what);
  };
  launch.end = [self = weak_from_this()] {
    if (const auto run = self.lock()) run->end_over_limit();
  };
  context_.limit_watch.add(std::move(launch));
  watch_disk();
}

void WorkerRun::watch_disk() {
  limits::DiskWatch::Launch launch;
  launch.limits = limits_;
  launch.init = init_.pid();
  launch.directory = context_.options.data_dir / plugin_;
  launch.largest_file = largest_file();
  launch.taken_over = adopted_;
  launch.say = [self = weak_from_this()](const std::string& what) {
    if (const auto run = self.lock()) run->say(v1::LOG_LEVEL_WARNING, what);
  };
  launch.end = [self = weak_from_this()] {
    if (const auto run = self.lock()) run->end_over_limit();
  };
  context_.disk_watch.add(std::move(launch));
}

// No file alone outgrows the data directory, unless it may lie elsewhere.
std::uint64_t WorkerRun::largest_file() const {
  return sandbox_.permissions.filesystem().write_size() > 0 ? 0 : limits_->disk().bytes();
}

bool WorkerRun::goes_on() const {
  const auto& process = worker_ ? worker_ : init_;
  return !exited_ && process && !process.has_ended();
}

// What is left of it then is finish()'s to end.
void WorkerRun::end_over_limit() {
  if (!init_ || exited_) return;
  sys::kill_with_descendants(init_, pid_namespace_);
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
  take_sandbox(hello.sandbox());
  if (adopted_ && hello.has_resumed()) {
    stopping_ = hello.resumed().stopping();
    loaded_ = hello.resumed().loaded();
    for (const auto& call : hello.resumed().calls())
      context_.jobs.carry(call.job_id(), link(), call.call_id());
    return;
  }
  // Nothing of the plugin has been touched yet.
  if (auto missing = sandbox_.missing_requirement(plugin_)) {
    load_failed_ = std::move(*missing);
    changed_.notify();
    return;
  }
  link()->load(load_);
}

void WorkerRun::take_sandbox(const v1::SandboxOutcome& outcome) {
  sandbox_.outcome = outcome;
  if (network_->is_enforced() && limits_->unified_group().empty())
    network_->give_up("it is in no cgroup of version 2");
  network_->settle(sandbox_.outcome, sandbox_.has_host_network(), sandbox_.has_datagrams());
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

void WorkerRun::release_runtime() {
  context_.spares.replenish(runtime_);
  runtime_.spawner.reset();
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

void WorkerRun::say(v1::LogLevel level, std::string text) {
  v1::LogLine line;
  line.set_time_unix_us(sys::unix_us());
  line.set_level(level);
  line.set_source(v1::LOG_SOURCE_SUPERVISOR);
  line.set_generation(generation_);
  line.set_text(std::move(text));
  log_book_->append(std::move(line));
}

}  // namespace supervisor::lifecycle
