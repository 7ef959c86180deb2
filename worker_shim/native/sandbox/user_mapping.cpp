#include "worker_shim/native/sandbox/user_mapping.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "supervisor/sys/syscall.h"
#include "worker_shim/native/fork_identity.h"

namespace plugin_worker::sandbox {

using supervisor::sys::throw_errno;
using supervisor::sys::UniqueFd;

namespace {

/// A process that waits in a user namespace of its own until it is killed.
class Holder {
 public:
  Holder() {
    pid_ = ForkIdentity::clone_plain(CLONE_NEWUSER, nullptr);
    if (pid_ == 0) {
      for (;;) ::pause();
    }
    if (pid_ < 0) throw_errno("clone, a user namespace");
  }
  ~Holder() {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  [[nodiscard]] UniqueFd open(const char* name, int flags) const {
    const auto path = "/proc/" + std::to_string(pid_) + "/" + name;
    UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC));
    if (!file) throw_errno(name);
    return file;
  }

  void map(const char* name, UserMapping::Pair pair) const {
    const auto file = open(name, O_WRONLY);
    const auto line = std::to_string(pair.inside) + " " + std::to_string(pair.outside) + " 1";
    if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      throw_errno(name);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace

UserMapping::UserMapping(Pair user, Pair group) {
  const Holder holder;
  holder.map("uid_map", user);
  holder.map("gid_map", group);
  namespace_ = holder.open("ns/user", O_RDONLY);
}

}  // namespace plugin_worker::sandbox
