// How a WorkerRun is started: as a spare that waits, as a fork, or executed.
#include <boost/asio/use_awaitable.hpp>

#include "plugin_supervisor/v1/spawner.pb.h"
#include "supervisor/lifecycle/data_directory.h"
#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sandbox/protection_list.h"
#include "supervisor/sys/digest.h"
#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/random.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;

namespace {

// Each time the spawner dies over it; it may be somebody else who ends it.
constexpr int most_launches = 6;
constexpr auto patience_with_names = std::chrono::seconds(2);

}  // namespace

asio::awaitable<Outcome<void>> WorkerRun::start(v1::Load load, std::chrono::milliseconds budget,
                                                std::function<bool()> is_wanted) {
  load_ = std::move(load);
  auto knowing = know_names();
  co_await std::move(knowing);
  if (auto spare =
          takes_spares() ? context_.spares.take(runtime_, wanted_limits()) : std::nullopt) {
    if (launch_spare(std::move(*spare))) co_return Outcome<void>();
    expectation_.reset();
  }
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

// What the names stand for that it was granted, before it needs them.
asio::awaitable<void> WorkerRun::know_names() {
  network_ = std::make_unique<WorkerNetwork>(context_.names, sandbox_.permissions.network());
  if (!sandbox_.wants_filter()) co_return;
  auto looking = context_.names.look_up(network_->names(), Clock::now() + patience_with_names);
  co_await std::move(looking);
  for (const auto& name : network_->unknown_names())
    say(v1::LOG_LEVEL_WARNING, "it was granted the host " + name + ", which is not known");
}

asio::awaitable<Outcome<void>> WorkerRun::launch(const spawner::Spawner::Place& place,
                                                 Clock::time_point deadline) {
  std::optional<Launch> launch;
  std::optional<Failure> failure;
  try {
    launch = Launch::make(context_.options.runtime_dir, context_.launch_numbers.next());
    if (!limits_)
      limits_ = std::make_shared<limits::LaunchLimits>(context_.limits, plugin_, generation_,
                                                       wanted_limits());
    launch->limits = limits_;
    intend(*launch);
  } catch (const std::exception& error) {
    failure = make_failure(
        v1::REASON_LAUNCH_FAILED, "link",
        "The socket of plugin '" + plugin_ + "' could not be made: " + error.what() + ".",
        "Check the runtime directory: it must be writable and its path short.", plugin_);
  }
  if (failure) co_return *failure;
  spawner::SpawnOrder order;
  order.plugin = plugin_;
  order.command = command(*launch);
  order.environment = {launch_mark_variable_text()};
  order.ahead = sandbox_.ahead();
  auto forking = launch->fork(*runtime_.spawner, place, std::move(order), deadline);
  auto forked = co_await std::move(forking);
  if (forked.has_error()) co_return forked.error();
  sys::fault_point("start.forked");
  if (auto failed = try_to_assign(*launch)) {
    launch->end();
    co_return *failed;
  }
  take_forked(std::move(*launch), false);
  co_return Outcome<void>();
}

// False when the spare has ended meanwhile.
bool WorkerRun::launch_spare(Launch spare) {
  try {
    limits_ = spare.limits;
    limits_->assign(plugin_);
    intend(spare);
    if (auto failed = try_to_assign(spare)) throw std::runtime_error(failed->message());
    sys::fault_point("start.assigned");
  } catch (const std::exception& error) {
    logs::log_event(spdlog::level::warn, "spare.lost",
                    {{"plugin", plugin_}, {"error", error.what()}});
    spare.end();
    limits_.reset();
    return false;
  }
  take_forked(std::move(spare), true);
  return true;
}

// Writes down what is going to be started, and makes its way home. Throws
// std::system_error.
void WorkerRun::intend(Launch& launch) {
  token_ = sys::random_bytes(32);
  started_unix_ms_ = sys::unix_us() / 1000;
  sandbox_.made = launch.spawned.made;  // Of a spare, known by now.
  // Before the worker can be one of this plugin.
  sys::replace_file(launch.directory.launch_record_path(),
                    launch_record(token_).SerializeAsString(), 0600);
  const auto socket_path = launch.directory.socket_path();
  expectation_ = context_.links.expect({plugin_, generation_}, socket_path, token_, link_events(),
                                       plugin_options_.max_in_flight());
  sandbox_.open_way(launch.directory.path());
  sys::fault_point("start.recorded");
}

// Tells the worker what to be, now that it is known what its init is in.
Outcome<void> WorkerRun::assign(Launch& launch) {
  sandbox_.made = launch.spawned.made;
  sandbox_.check_user(launch.directory.path());
  try {
    give_data_directory(sandbox_.subject.data, sandbox_.subject.user);
  } catch (const std::exception& error) {
    return make_failure(v1::REASON_LAUNCH_FAILED, "data",
                        "The data directory of plugin '" + plugin_ +
                            "' could not be given to it: " + error.what() + ".",
                        "Check --data-dir: it must be writable, and take owners.", plugin_);
  }
  keep_to_network(launch);
  auto plan = sandbox_.plan(context_.planner, launch.directory.path());
  if (plan.has_error()) return plan.error();
  plan.value().set_file_bytes(largest_file());
  std::string told;
  if (!runtime_.command.empty()) {
    for (auto& variable : sandbox_.environment()) plan.value().add_environment(std::move(variable));
    const auto size = static_cast<std::uint32_t>(plan.value().ByteSizeLong());
    for (int shift = 0; shift < 32; shift += 8) told += static_cast<char>(size >> shift & 0xff);
    told += plan.value().SerializeAsString() + token_;
  } else {
    v1::WorkerAssignment assignment;
    assignment.set_plugin(plugin_);
    assignment.set_generation(generation_);
    assignment.set_socket_path(launch.directory.socket_path().string());
    assignment.set_token(token_);
    assignment.add_environment(launch_mark_variable_text());
    for (auto& variable : sandbox_.environment()) assignment.add_environment(std::move(variable));
    *assignment.mutable_sandbox() = std::move(plan.value());
    told = assignment.SerializeAsString();
  }
  sys::fill_pipe(std::move(launch.assignment.write), told);
  token_.clear();
  return {};
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
  record.set_group(limits_->group());
  sandbox_.write(record);
  return record;
}

// Its /etc/hosts, where it has a root of its own that one can be put into.
std::filesystem::path WorkerRun::hosts_file(const RuntimeDir& directory) const {
  const bool own_root = sandbox::contains(sandbox_.made, v1::PROTECTION_ROOT);
  return own_root ? directory.path() / "hosts" : std::filesystem::path();
}

void WorkerRun::keep_to_network(const Launch& launch) {
  if (!sandbox_.wants_filter()) return;
  network_->enforce(limits_->unified_group(), hosts_file(launch.directory));
  sandbox_.subject.filtered = network_->is_enforced();
  sandbox_.subject.hosts_file = network_->hosts_file();
}

std::optional<Failure> WorkerRun::try_to_assign(Launch& launch) {
  try {
    const auto assigned = assign(launch);
    return assigned.has_error() ? std::optional(assigned.error()) : std::nullopt;
  } catch (const std::exception& error) {
    return make_failure(v1::REASON_LAUNCH_FAILED, "assign",
                        "The worker of plugin '" + plugin_ +
                            "' could not be told what to be: " + error.what() + ".",
                        "", plugin_);
  }
}

// Those are as all of its profile are.
bool WorkerRun::takes_spares() const {
  return runtime_.spawner->isolation().ahead == sandbox_.ahead();
}

limits::Limits WorkerRun::wanted_limits() const {
  return limits::effective(context_.options.limits, sandbox_.permissions.limits(), plugin_options_);
}

// What exec'ed children inherit; see Orphans.
std::string WorkerRun::launch_mark_variable_text() const {
  return std::string(launch_mark_variable) + "=" + launch_mark_;
}

// Of an interpreter of its own, with all options; empty for a fork.
std::vector<std::string> WorkerRun::command(const Launch& launch) const {
  auto words = runtime_.command;
  if (words.empty()) return words;
  words.insert(words.end(),
               {"--socket", launch.directory.socket_path().string(), "--plugin", plugin_,
                "--generation", std::to_string(generation_), "--token-fd", "3"});
  return words;
}

void WorkerRun::take_forked(Launch launch, bool spare) {
  if (spare) sys::fault_point("start.forked");
  runtime_dir_.emplace(std::move(launch.directory));
  init_ = std::move(launch.spawned.init);
  pid_namespace_ = launch.spawned.pid_namespace;
  steps_.set_fork_us(since_start());
  context_.meters.forks.Increment();
  expectation_->set_parent(init_.pid());
  watch(std::move(launch.out.read), std::move(launch.err.read));
  watch_limits();
  logs::log_event(spdlog::level::info, "worker.forked",
                  {{"plugin", plugin_},
                   {"generation", generation_},
                   {"init_pid", init_.pid()},
                   {"spare", spare},
                   {"clone_us", launch.spawned.fork_time.count()},
                   {"pid_namespace", pid_namespace_}});
}

}  // namespace supervisor::lifecycle
