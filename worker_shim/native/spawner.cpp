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

#include "worker_shim/native/sandbox/apply.h"
#include "worker_shim/native/sandbox/own_privileges.h"
#include "worker_shim/native/sandbox/preparation.h"
#include "worker_shim/native/sandbox_outcome.h"
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
    : control_(control),
      init_program_(::open(init.c_str(), O_PATH | O_CLOEXEC)),
      host_network_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
  if (init_program_ < 0) throw_errno(init.c_str());
  ready_.set_python_version(std::move(python_version));
  try_namespace();
}

// Whether clone3() and the mounts are allowed is known only by doing them.
bool Spawner::can_have(std::uint64_t flags, const sandbox::RootSetup* root,
                       std::string* why) const {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe2");
  const pid_t pid = ForkIdentity::clone_plain(flags, nullptr);
  if (pid == 0) {
    const char* step = (flags & CLONE_NEWNS) != 0 ? make_own_mounts(root) : nullptr;
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
  bool done = false;
  if (pid < 0) {
    if (why != nullptr) *why = std::string("clone3: ") + std::strerror(error);
  } else {
    char line[96];
    const auto size = ::read(ends[0], line, sizeof line);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (size > 0 && why != nullptr) why->assign(line, static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  return done;
}

void Spawner::try_namespace() {
  ready_.set_pid_namespace(
      can_have(namespace_flags, nullptr, ready_.mutable_no_namespace_because()));
}

namespace {

std::uint64_t flag_of(v1::Protection protection) {
  switch (protection) {
    case v1::PROTECTION_PROCESSES:
      return namespace_flags;
    case v1::PROTECTION_IPC:
      return CLONE_NEWIPC;
    case v1::PROTECTION_HOST_NAME:
      return CLONE_NEWUTS;
    case v1::PROTECTION_GROUPS:
      return CLONE_NEWCGROUP;
    case v1::PROTECTION_NETWORK:
      return CLONE_NEWNET;
    default:
      return 0;
  }
}

}  // namespace

/// The flags of what is wanted and can be had, which `setup` and `reply` are told.
std::uint64_t Spawner::choose_namespaces(const v1::SpawnRequest& request,
                                         const sandbox::RootSetup& root, InitSetup& setup,
                                         v1::SpawnReply& reply) {
  setup.pid_namespace = ready_.pid_namespace();
  std::uint64_t flags = setup.pid_namespace ? namespace_flags : 0;
  if (setup.pid_namespace) reply.add_made(v1::PROTECTION_PROCESSES);
  if (sandbox::has_own_privileges()) reply.add_made(v1::PROTECTION_PRIVILEGES);
  for (const int number : request.ahead()) {
    const auto protection = static_cast<v1::Protection>(number);
    const bool is_root = protection == v1::PROTECTION_ROOT;
    const auto flag = flag_of(protection);
    if ((flag == 0 && !is_root) || protection == v1::PROTECTION_PROCESSES) continue;
    if (protection == v1::PROTECTION_NETWORK && host_network_ < 0) continue;
    if (is_root && (!setup.pid_namespace || root.staging == nullptr)) continue;
    auto tried = tried_.find(protection);
    if (tried == tried_.end()) {
      const bool can =
          is_root ? can_have(namespace_flags, &root, nullptr) : can_have(flag, nullptr, nullptr);
      tried = tried_.emplace(protection, can).first;
    }
    if (!tried->second) continue;
    if (protection == v1::PROTECTION_GROUPS) {
      setup.own_groups = true;
    } else {
      flags |= flag;
    }
    reply.add_made(protection);
    if (is_root) setup.root = &root;
    if (protection == v1::PROTECTION_HOST_NAME) setup.host_name = true;
    if (protection == v1::PROTECTION_NETWORK) setup.host_network = host_network_;
  }
  return flags;
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

/// Nothing when the pipe ends before it.
std::optional<v1::SandboxPlan> read_sandbox_plan(int pipe) {
  const auto read_exactly = [pipe](std::size_t size) -> std::optional<std::string> {
    std::string bytes(size, '\0');
    for (std::size_t done = 0; done < size;) {
      const auto got = ::read(pipe, bytes.data() + done, size - done);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  };
  const auto head = read_exactly(4);
  if (!head) return std::nullopt;
  std::size_t size = 0;
  for (int i = 3; i >= 0; --i) size = size << 8 | static_cast<unsigned char>((*head)[i]);
  v1::SandboxPlan plan;
  const auto bytes = size <= max_packet ? read_exactly(size) : std::nullopt;
  if (!bytes || !plan.ParseFromString(*bytes)) return std::nullopt;
  return plan;
}

std::string hexadecimal(const std::string& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 0xf];
  }
  return text;
}

// The worker becomes another program. This process has one thread, so the
// environment may be changed; nothing of Python is touched any more.
[[noreturn]] void execute(const v1::SpawnRequest& request) {
  // Before anything of another's choice runs, even an interpreter.
  const auto plan = read_sandbox_plan(assignment_fd);
  if (!plan) fail_before_exec("assignment");
  const auto outcome = sandbox::apply(*plan);
  ::setenv(sandbox_outcome_variable, hexadecimal(outcome.SerializeAsString()).c_str(), 1);
  for (const auto& variables : {request.environment(), plan->environment()}) {
    for (const auto& variable : variables) {
      const auto equals = variable.find('=');
      if (equals == std::string::npos) continue;
      ::setenv(variable.substr(0, equals).c_str(), variable.c_str() + equals + 1, 1);
    }
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
[[gnu::noinline]] int Spawner::make_init(const InitSetup& setup, std::uint64_t namespaces,
                                         int group, int* pidfd) const {
  // The supervisor becomes the parent: it sees the end, and it alone reaps.
  const auto flags = CLONE_PARENT | CLONE_PIDFD | namespaces;
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
  pid_t pid = ForkIdentity::clone_sharing(
      flags, pidfd, group,
      [](void* argument) {
        auto& the_way = *static_cast<Way*>(argument);
        become_init(the_way.setup);
        _longjmp(the_way.home, 1);
      },
      &way);
  if (pid < 0 && errno == ENOSYS) {  // See fork_identity.cpp.
    pid = ForkIdentity::clone_plain(flags, pidfd, group);
    if (pid == 0) become_init(setup);
  }
  return pid;
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
    InitSetup setup;
    setup.identity = &identity_;
    setup.out = fds[0];
    setup.err = fds[1];
    setup.assignment = fds[2];
    setup.exit_record = fds[3];
    std::vector<const char*> paths;
    for (const auto& path : received.request.common().paths()) paths.push_back(path.c_str());
    const auto& staging = received.request.common().staging();
    const sandbox::RootSetup root{staging.empty() ? nullptr : staging.c_str(), paths.data(),
                                  paths.size(), received.request.common().temporary_bytes()};
    const auto namespaces = choose_namespaces(received.request, root, setup, reply);
    setup.init_program = init_program_;
    setup.task_files = fds.data() + descriptors_of_a_request;
    setup.task_file_count = received.request.task_files();
    setup.open_files = received.request.open_files();
    setup.will_exec = received.request.command_size() > 0;
    PyOS_BeforeFork();
    pid = make_init(setup, namespaces, received.request.into_group() ? fds.back() : -1, &pidfd);
    // A group that cannot be had is no reason not to start.
    if (pid < 0 && received.request.into_group()) pid = make_init(setup, namespaces, -1, &pidfd);
    if (pid == 0) {
      sandbox::prepare(received.request, setup.root != nullptr);
      if (setup.will_exec) execute(received.request);
      PyOS_AfterFork_Child();
      is_spare_ = received.request.spare();
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
