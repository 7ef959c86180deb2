#include "worker_shim/native/python.h"

// After Python.h.
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "worker_shim/native/spawner.h"
#include "worker_shim/native/worker_init.h"

namespace plugin_worker {
namespace {

constexpr std::size_t max_packet = 128u << 10;
constexpr std::size_t descriptors_of_a_request = 4;  // At least.
constexpr std::size_t most_descriptors = 16;
constexpr std::uint64_t namespace_flags = CLONE_NEWPID | CLONE_NEWNS;

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A second thread's locks would be copied in whatever state they are.
bool is_single_threaded() {
  int threads = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    ++threads;
  return threads == 1;
}

}  // namespace

Spawner::Spawner(int control, const std::string& init, std::string python_version)
    : control_(control), init_program_(::open(init.c_str(), O_PATH | O_CLOEXEC)) {
  if (init_program_ < 0) throw_errno(init.c_str());
  ready_.set_python_version(std::move(python_version));
  try_namespace();
}

// Whether clone3() and the mounts are allowed is known only by doing them.
void Spawner::try_namespace() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
  const pid_t pid = ForkIdentity::clone_plain(namespace_flags, nullptr);
  if (pid == 0) {
    const char* step = mount_own_proc();
    char line[96];
    const int size =
        step == nullptr ? 0 : std::snprintf(line, sizeof line, "%s: %s", step, ::strerror(errno));
    if (size > 0) {
      [[maybe_unused]] const auto put = ::write(ends[1], line, static_cast<std::size_t>(size));
    }
    ::_exit(step == nullptr ? 0 : 1);
  }
  const int error = errno;
  ::close(ends[1]);
  if (pid < 0) {
    ready_.set_no_namespace_because(std::string("clone3: ") + std::strerror(error));
  } else {
    char line[96];
    const auto size = ::read(ends[0], line, sizeof line);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    ready_.set_pid_namespace(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (size > 0) ready_.set_no_namespace_because(line, static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
}

std::optional<Spawner::Received> Spawner::receive() {
  static std::string packet(max_packet, '\0');
  iovec data{packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * most_descriptors)];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  do {
    size = ::recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno != ECONNRESET) throw_errno("recvmsg");
  if (size <= 0) return std::nullopt;
  Received received;
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    received.descriptors.resize(count);
    std::memcpy(received.descriptors.data(), CMSG_DATA(part), count * sizeof(int));
  }
  if (!received.request.ParseFromArray(packet.data(), static_cast<int>(size)) ||
      received.descriptors.size() != descriptors_of_a_request + received.request.task_files() +
                                         (received.request.into_group() ? 1 : 0)) {
    throw std::system_error(EPROTO, std::generic_category(), "a request of the supervisor");
  }
  return received;
}

void Spawner::send(const v1::SpawnerMessage& said, int descriptor) {
  const std::string packet = said.SerializeAsString();
  iovec data{const_cast<char*>(packet.data()), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &descriptor, sizeof(int));
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(control_, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  // A supervisor that is gone is noticed by the next receive().
}

namespace {

// The worker becomes another program. This process has one thread, so the
// environment may be changed; nothing of Python is touched any more.
[[noreturn]] void execute(const v1::SpawnRequest& request) {
  for (const auto& variable : request.environment()) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) continue;
    ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
  }
  std::vector<char*> arguments;
  arguments.reserve(static_cast<std::size_t>(request.command_size()) + 1);
  for (const auto& word : request.command()) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // exec keeps ignored signals ignored: these Python had set.
  for (const int signal : {SIGINT, SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_DFL);
  ::execv(arguments.front(), arguments.data());
  fail_before_exec("exec");
}

}  // namespace

/// The number of the init, or -1 with errno; 0 in the worker that it forked.
/// While the init works, this process waits: it lends its memory rather than
/// have it copied twice.
[[gnu::noinline]] int Spawner::make_init(const InitSetup& setup, int group, int* pidfd) const {
  // The supervisor becomes the parent: it sees the end, and it alone reaps.
  const auto flags = CLONE_PARENT | CLONE_PIDFD | (setup.pid_namespace ? namespace_flags : 0);
  if (!ForkIdentity::can_share_memory || !identity_.is_known()) {
    const pid_t pid = ForkIdentity::clone_plain(flags, pidfd, group);
    if (pid == 0) become_init(setup);
    return pid;
  }
  struct Way {
    const InitSetup& setup;
    jmp_buf home;
  } way{setup, {}};
  // The worker begins on the init's stack, and returns to a copy of this one.
  if (_setjmp(way.home) != 0) return 0;
  return ForkIdentity::clone_sharing(
      flags, pidfd, group,
      [](void* argument) {
        auto& the_way = *static_cast<Way*>(argument);
        become_init(the_way.setup);
        _longjmp(the_way.home, 1);
      },
      &way);
}

bool Spawner::spawn(const Received& received) {
  const auto began = std::chrono::steady_clock::now();
  v1::SpawnerMessage said;
  auto& reply = *said.mutable_reply();
  reply.set_id(received.request.id());
  int pidfd = -1;
  pid_t pid = -1;
  if (!is_single_threaded()) {
    errno = EBUSY;
    reply.set_step("threads");
  } else {
    const auto& fds = received.descriptors;
    InitSetup setup{&identity_, ready_.pid_namespace(), fds[0], fds[1], fds[2], fds[3]};
    setup.init_program = init_program_;
    setup.task_files = fds.data() + descriptors_of_a_request;
    setup.task_file_count = received.request.task_files();
    setup.open_files = received.request.open_files();
    setup.will_exec = received.request.command_size() > 0;
    PyOS_BeforeFork();
    pid = make_init(setup, received.request.into_group() ? fds.back() : -1, &pidfd);
    // A group that cannot be had is no reason not to start.
    if (pid < 0 && received.request.into_group()) pid = make_init(setup, -1, &pidfd);
    if (pid == 0) {
      if (setup.will_exec) execute(received.request);
      PyOS_AfterFork_Child();
      return true;
    }
    const int error = errno;
    PyOS_AfterFork_Parent();
    errno = error;
    reply.set_step("clone3");
  }
  if (pid > 0) {
    reply.clear_step();
    reply.set_init_pid(pid);
  } else {
    reply.set_error_number(errno);
  }
  for (const int fd : received.descriptors) ::close(fd);
  reply.set_fork_us(
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                     std::chrono::steady_clock::now() - began)
                                     .count()));
  send(said, pidfd);
  if (pidfd >= 0) ::close(pidfd);
  return false;
}

bool Spawner::serve() {
  v1::SpawnerMessage said;
  *said.mutable_ready() = ready_;
  send(said, -1);
  while (auto received = receive()) {
    if (spawn(*received)) return true;
  }
  return false;
}

}  // namespace plugin_worker
