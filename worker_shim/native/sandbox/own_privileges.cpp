#include "worker_shim/native/sandbox/own_privileges.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace plugin_worker::sandbox {

using supervisor::sys::throw_errno;

namespace {

bool entered = false;

void put(const char* path, const std::string& text) {
  const supervisor::sys::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file) throw_errno(path);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw_errno(path);
}

std::string itself(id_t id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; }

}  // namespace

void enter_own_privileges() {
  const auto user = itself(::geteuid());
  const auto group = itself(::getegid());
  if (::unshare(CLONE_NEWUSER) != 0) throw_errno("unshare, a user namespace");
  // Else no group can be mapped (user_namespaces(7)): who gives a group up could
  // get where that group is kept out.
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", user);
  put("/proc/self/gid_map", group);
  entered = true;
}

bool has_own_privileges() { return entered; }

}  // namespace plugin_worker::sandbox
