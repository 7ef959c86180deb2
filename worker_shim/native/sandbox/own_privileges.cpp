#include "worker_shim/native/sandbox/own_privileges.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace plugin_worker::sandbox {
namespace {

bool entered = false;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void put(const char* path, const std::string& text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) fail(path);
  const auto written = ::write(file, text.data(), text.size());
  const int error = errno;
  ::close(file);
  errno = error;
  if (written != static_cast<ssize_t>(text.size())) fail(path);
}

std::string itself(id_t id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; }

}  // namespace

void enter_own_privileges() {
  const auto user = itself(::geteuid());
  const auto group = itself(::getegid());
  if (::unshare(CLONE_NEWUSER) != 0) fail("unshare, a user namespace");
  // Else no group can be mapped (user_namespaces(7)): who gives a group up could
  // get where that group is kept out.
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", user);
  put("/proc/self/gid_map", group);
  entered = true;
}

bool has_own_privileges() { return entered; }

}  // namespace plugin_worker::sandbox
