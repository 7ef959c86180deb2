#include "worker_shim/native/sandbox/seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

namespace plugin_worker::sandbox {

void load_seccomp(const std::string& program) {
  std::vector<sock_filter> instructions(program.size() / sizeof(sock_filter));
  program.copy(reinterpret_cast<char*>(instructions.data()),
               instructions.size() * sizeof(sock_filter));
  const sock_fprog filter{static_cast<unsigned short>(instructions.size()), instructions.data()};
  const auto result =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (result == 0) return;
  if (result > 0) errno = ESRCH;  // The thread of that number could not follow.
  throw std::system_error(errno, std::generic_category(), "seccomp");
}

}  // namespace plugin_worker::sandbox
