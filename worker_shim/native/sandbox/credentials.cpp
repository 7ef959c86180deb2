#include "worker_shim/native/sandbox/credentials.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "supervisor/sys/syscall.h"

namespace plugin_worker::sandbox {
namespace {

void check(long result, const char* what) {
  if (result != 0) supervisor::sys::throw_errno(what);
}

}  // namespace

void become_user(uid_t uid, gid_t gid, const std::vector<gid_t>& more) {
  check(::setgroups(more.size(), more.data()), "setgroups");
  check(::setresgid(gid, gid, gid), "setresgid");
  check(::setresuid(uid, uid, uid), "setresuid");
}

void empty_bounding_set() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    // Without CAP_SETPCAP there is nothing that it could be given either.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM)
      check(-1, "PR_CAPBSET_DROP");
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void give_up_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  check(::syscall(SYS_capset, &header, none), "capset");
}

void forbid_new_privileges() { check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs"); }

}  // namespace plugin_worker::sandbox
