#include "supervisor/spawner/spawner_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstring>

#include "supervisor/logs/line_splitter.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/spawner/child_process.h"
#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::spawner {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using namespace std::chrono_literals;

namespace {

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t evidence_lines = 20;
constexpr std::size_t max_packet = 64u << 10;
// A fork takes milliseconds. What the interpreter imports first may take long.
constexpr auto fork_patience = 5s;
constexpr auto import_patience = 60s;

}  // namespace

SpawnerProcess::SpawnerProcess(const asio::any_io_executor& core, std::string profile)
    : core_(core), profile_(std::move(profile)) {}

SpawnerProcess::~SpawnerProcess() {
  // Killed by end(); the supervisor must not be seen to end before it.
  [[maybe_unused]] const bool ended = process_.ends_within(1000);
}

Outcome<std::shared_ptr<SpawnerProcess>> SpawnerProcess::start(const asio::any_io_executor& core,
                                                               const RuntimeProfile& profile,
                                                               bool own_privileges) {
  std::array<int, 2> pair{};
  std::array<int, 2> pipe{};
  sys::checked("socketpair", [&] {
    return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data());
  });
  sys::UniqueFd ours(pair[0]);
  const sys::UniqueFd theirs(pair[1]);
  sys::checked("pipe2", [&] { return ::pipe2(pipe.data(), O_CLOEXEC); });
  sys::UniqueFd output(pipe[0]);
  const sys::UniqueFd printed(pipe[1]);
  for (const int fd : {ours.get(), output.get()})
    sys::checked("fcntl", [&] { return ::fcntl(fd, F_SETFL, O_NONBLOCK); });

  ChildPlan plan;
  plan.program = profile.python;
  plan.arguments = {"-us", (profile.shim_dir / "start_spawner.py").string(), "--control-fd", "3"};
  const auto options = interpreter_options(profile);
  plan.arguments.insert(plan.arguments.end(), options.begin(), options.end());
  if (own_privileges) plan.arguments.emplace_back("--own-privileges");
  plan.environment = profile.environment;
  plan.out = printed.get();
  plan.err = printed.get();
  plan.extra = theirs.get();
  auto child = start_child(plan);
  if (child.has_error()) return child.error();
  std::shared_ptr<SpawnerProcess> spawner(new SpawnerProcess(core, profile.name));
  spawner->open(std::move(child.value()), std::move(ours), std::move(output));
  return spawner;
}

void SpawnerProcess::open(sys::Pidfd process, sys::UniqueFd control, sys::UniqueFd output) {
  process_ = std::move(process);
  control_.emplace(core_, control.release());
  output_.emplace(core_, output.release());
  // A second descriptor: Asio closes the one it holds.
  exit_.emplace(core_, ::dup(process_.fd()));
  logs::log_event(spdlog::level::info, "spawner.started",
                  {{"profile", profile_}, {"pid", process_.pid()}});
  const auto self = shared_from_this();
  asio::co_spawn(
      core_, [self] { return self->read_control(); }, asio::detached);
  asio::co_spawn(
      core_, [self] { return self->read_output(); }, asio::detached);
  asio::co_spawn(
      core_, [self] { return self->reap(); }, asio::detached);
}

asio::awaitable<Outcome<Spawned>> SpawnerProcess::spawn(SpawnOrder order,
                                                        Clock::time_point deadline) {
  v1::SpawnRequest request;
  request.set_id(++last_id_);
  for (const auto& word : order.command) request.add_command(word);
  for (const auto& variable : order.environment) request.add_environment(variable);
  request.set_task_files(static_cast<std::uint32_t>(order.task_files.size()));
  request.set_into_group(order.group >= 0);
  request.set_open_files(order.open_files);
  request.set_spare(order.spare);
  for (const auto protection : order.ahead) request.add_ahead(protection);
  *request.mutable_common() = std::move(order.common);

  Waiting waiting(core_);
  waiting_.emplace(request.id(), &waiting);
  const bool sent = co_await send(request, order, deadline);
  sys::fault_point("start.requested");
  if (sent) co_await answered(waiting, deadline);
  waiting_.erase(request.id());

  if (!waiting.answer && !over_) {
    if (!sent || !is_stuck(waiting, deadline))
      co_return failed(ready_ ? "had no time for it" : "is still importing", order.plugin);
    end();  // The next order starts another.
    co_return failed("did not answer in time and was ended", order.plugin);
  }
  if (!waiting.answer) co_return failed("ended", order.plugin);
  auto& answer = *waiting.answer;
  if (answer.reply.error_number() != 0 || !answer.pidfd)
    co_return failed("could not fork (" + answer.reply.step() + ": " +
                         std::strerror(answer.reply.error_number()) + ")",
                     order.plugin);
  Spawned spawned;
  spawned.init = sys::Pidfd(std::move(answer.pidfd), answer.reply.init_pid());
  spawned.pid_namespace = pid_namespaces_;
  for (const int number : answer.reply.made())
    spawned.made.push_back(static_cast<v1::Protection>(number));
  spawned.fork_time = std::chrono::microseconds(answer.reply.fork_us());
  co_return spawned;
}

// Until there is an answer, the deadline has passed, or the spawner is stuck.
asio::awaitable<void> SpawnerProcess::answered(Waiting& waiting, Clock::time_point deadline) {
  while (!waiting.answer && !over_ && Clock::now() < deadline && !is_stuck(waiting, deadline)) {
    waiting.timer.expires_at(std::min(deadline, patience_ends(waiting)));
    co_await waiting.timer.async_wait(no_throw);
  }
}

// Orders are taken one by one: whoever waits behind others is patient for as
// long as those are answered.
SpawnerProcess::Clock::time_point SpawnerProcess::patience_ends(const Waiting& waiting) const {
  return ready_ ? std::max(waiting.since, last_heard_) + fork_patience
                : last_heard_ + import_patience;
}

// Also when the one who asked has less time than that: it has said nothing
// since, and nobody else may have more.
bool SpawnerProcess::is_stuck(const Waiting& waiting, Clock::time_point deadline) const {
  const auto now = Clock::now();
  if (now >= patience_ends(waiting)) return true;
  return ready_ && now >= deadline && last_heard_ < waiting.since;
}

asio::awaitable<bool> SpawnerProcess::send(const v1::SpawnRequest& request, const SpawnOrder& order,
                                           Clock::time_point deadline) {
  const std::string packet = request.SerializeAsString();
  std::vector<int> descriptors{order.out, order.err, order.assignment, order.exit_record};
  descriptors.insert(descriptors.end(), order.task_files.begin(), order.task_files.end());
  if (order.group >= 0) descriptors.push_back(order.group);
  const std::size_t bytes = descriptors.size() * sizeof(int);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 16)> ancillary{};
  iovec data{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.data();
  message.msg_controllen = CMSG_SPACE(bytes);
  auto* part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(bytes);
  std::memcpy(CMSG_DATA(part), descriptors.data(), bytes);
  while (!over_ && Clock::now() < deadline) {
    const auto sent = sys::retry_on_eintr(
        [&] { return ::sendmsg(control_->native_handle(), &message, MSG_NOSIGNAL); });
    if (sent >= 0) co_return true;
    if (errno != EAGAIN) {
      end();  // Its end of the socket is closed: it dies.
      break;
    }
    // Not for ever: one that does not read is found stuck by those before.
    co_await control_->async_wait(stream_descriptor::wait_write, no_throw);
  }
  co_return false;
}

asio::awaitable<void> SpawnerProcess::read_control() {
  while (!over_) {
    const auto [error] = co_await control_->async_wait(stream_descriptor::wait_read, no_throw);
    if (error || !receive_all()) break;
  }
  end();
}

// Everything that has come. False when nothing more will.
bool SpawnerProcess::receive_all() {
  static thread_local std::array<char, max_packet> packet;
  for (;;) {
    iovec data{packet.data(), packet.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ancillary{};
    msghdr header{};
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = ancillary.data();
    header.msg_controllen = ancillary.size();
    const auto size = sys::retry_on_eintr(
        [&] { return ::recvmsg(control_->native_handle(), &header, MSG_CMSG_CLOEXEC); });
    if (size < 0 && errno == EAGAIN) return true;
    if (size <= 0) return false;
    sys::UniqueFd pidfd;
    if (const auto* part = CMSG_FIRSTHDR(&header);
        part != nullptr && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
      pidfd.reset(fd);
    }
    v1::SpawnerMessage message;
    if (!message.ParseFromArray(packet.data(), static_cast<int>(size))) return false;
    take(message, std::move(pidfd));
  }
}

void SpawnerProcess::take(const v1::SpawnerMessage& message, sys::UniqueFd pidfd) {
  last_heard_ = Clock::now();
  if (message.has_ready()) {
    ready_ = true;
    pid_namespaces_ = message.ready().pid_namespace();
    logs::log_event(spdlog::level::info, "spawner.ready",
                    {{"profile", profile_},
                     {"pid", process_.pid()},
                     {"python", message.ready().python_version()},
                     {"pid_namespace", pid_namespaces_},
                     {"because", message.ready().no_namespace_because()}});
    return;
  }
  const auto waiting = waiting_.find(message.reply().id());
  if (waiting == waiting_.end()) {
    // Nobody waits any more: what was forked must not run on unknown.
    if (pidfd) sys::Pidfd(std::move(pidfd), message.reply().init_pid()).send_signal(SIGKILL);
    return;
  }
  waiting->second->answer = Answer{message.reply(), std::move(pidfd)};
  waiting->second->timer.cancel();
}

asio::awaitable<void> SpawnerProcess::read_output() {
  logs::LineSplitter lines([this](const logs::RawLine& line) {
    auto text = logs::printable_line(line);
    logs::log_event(spdlog::level::warn, "spawner.said", {{"profile", profile_}, {"text", text}});
    last_lines_.push_back(std::move(text));
    if (last_lines_.size() > evidence_lines) last_lines_.pop_front();
  });
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto [error, count] = co_await output_->async_read_some(asio::buffer(buffer), no_throw);
    if (error) break;
    lines.feed({buffer.data(), count});
  }
  lines.finish();
}

asio::awaitable<void> SpawnerProcess::reap() {
  co_await exit_->async_wait(stream_descriptor::wait_read, no_throw);
  const auto status = process_.reap();
  logs::log_event(over_ ? spdlog::level::info : spdlog::level::warn, "spawner.ended",
                  {{"profile", profile_},
                   {"pid", process_.pid()},
                   {"signalled", status && status->signalled},
                   {"code", status ? status->code : 0}});
  end();
}

void SpawnerProcess::end() {
  if (over_) return;
  over_ = true;
  // Stopped or stuck, it must not linger; orderly, it ends with its socket.
  process_.send_signal(SIGKILL);
  boost::system::error_code ignored;
  control_->close(ignored);
  for (const auto& [id, waiting] : waiting_) waiting->timer.cancel();
}

Failure SpawnerProcess::failed(const std::string& why, const std::string& plugin) const {
  auto failure = make_failure(
      v1::REASON_LAUNCH_FAILED, "fork",
      (plugin.empty() ? "A spare worker" : "The worker of plugin '" + plugin + "'") +
          " could not be started: the spawner of profile '" + profile_ + "' " + why + ".",
      "See what it printed; check the interpreter and its modules.", plugin);
  for (const auto& line : last_lines_) failure.add_evidence(line);
  return failure;
}

}  // namespace supervisor::spawner
