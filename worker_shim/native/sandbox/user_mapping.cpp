#include "worker_shim/native/sandbox/user_mapping.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace plugin_worker::sandbox {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// A process that waits in a user namespace of its own until it is killed.
class Holder {
 public:
  Holder() {
    clone_args arguments{};
    arguments.flags = CLONE_NEWUSER;
    arguments.exit_signal = SIGCHLD;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid_ == 0) {
      for (;;) ::pause();
    }
    if (pid_ < 0) fail("clone3, a user namespace");
  }
  ~Holder() {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  [[nodiscard]] int open(const char* name, int flags) const {
    const auto path = "/proc/" + std::to_string(pid_) + "/" + name;
    const int file = ::open(path.c_str(), flags | O_CLOEXEC);
    if (file < 0) fail(name);
    return file;
  }

  void map(const char* name, UserMapping::Pair pair) const {
    const int file = open(name, O_WRONLY);
    const auto line = std::to_string(pair.inside) + " " + std::to_string(pair.outside) + " 1";
    const auto put = ::write(file, line.data(), line.size());
    const int error = errno;
    ::close(file);
    errno = error;
    if (put != static_cast<ssize_t>(line.size())) fail(name);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace

UserMapping::UserMapping(Pair user, Pair group) {
  const Holder holder;
  holder.map("uid_map", user);
  holder.map("gid_map", group);
  fd_ = holder.open("ns/user", O_RDONLY);
}

UserMapping::~UserMapping() { ::close(fd_); }

}  // namespace plugin_worker::sandbox
