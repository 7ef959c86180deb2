#include "worker_shim/native/fork_identity.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace plugin_worker {
namespace {

/// clone(2), for what it can do of `arguments`: it has no choice of numbers and
/// groups. Without a stack of its own, so without shared memory.
pid_t older_clone(const clone_args& arguments) {
  if (arguments.set_tid_size > 0 || (arguments.flags & (CLONE_INTO_CGROUP | CLONE_VM)) != 0) {
    errno = ENOSYS;
    return -1;
  }
  constexpr unsigned long no_stack = 0;
  constexpr unsigned long no_tls = 0;
  const auto flags = arguments.flags | arguments.exit_signal;
#if defined(__x86_64__)
  return static_cast<pid_t>(
      ::syscall(SYS_clone, flags, no_stack, arguments.pidfd, arguments.child_tid, no_tls));
#else  // CONFIG_CLONE_BACKWARDS, as on arm64.
  return static_cast<pid_t>(
      ::syscall(SYS_clone, flags, no_stack, arguments.pidfd, no_tls, arguments.child_tid));
#endif
}

// Container engines cannot see what is asked of clone3(), and say that there is
// no such thing, so that clone() is taken, of which they see it.
pid_t clone3(const clone_args& arguments) {
  const auto pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  return pid < 0 && errno == ENOSYS ? older_clone(arguments) : static_cast<pid_t>(pid);
}

clone_args plain_arguments(std::uint64_t flags, int* pidfd, int group) {
  clone_args arguments{};
  arguments.flags = flags;
  if (group >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(group);
  }
  // With CLONE_PARENT the signal is the one of the caller's own parent.
  arguments.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(pidfd);
  return arguments;
}

}  // namespace

ForkIdentity::ForkIdentity() {
  // prctl(2): the address that set_tid_address() was told, which for glibc's
  // main thread is its cached thread id.
  void* address = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) == 0) thread_id_ = address;
  ::syscall(SYS_get_robust_list, 0, &robust_list_, &robust_list_size_);
}

pid_t ForkIdentity::fork_as(pid_t wanted, bool in_parent_too) const {
  if (!is_known()) return ::fork();
  const pid_t numbers[] = {wanted, wanted};
  clone_args arguments{};
  arguments.flags = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  arguments.child_tid = reinterpret_cast<std::uintptr_t>(thread_id_);
  arguments.exit_signal = SIGCHLD;
  if (wanted > 0) {
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(numbers);
    arguments.set_tid_size = in_parent_too ? 2 : 1;
  }
  const pid_t pid = clone3(arguments);
  if (pid == 0) register_thread();
  return pid;
}

void ForkIdentity::register_thread() const {
  if (robust_list_ != nullptr) ::syscall(SYS_set_robust_list, robust_list_, robust_list_size_);
  // Lost by whoever was cloned with CLONE_VM, and by its children. EBUSY where it
  // was not lost.
  if (__rseq_size == 0) return;
  constexpr unsigned least = 32;  // Of the first version; rseq(2).
  ::syscall(SYS_rseq, static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset,
            std::max(__rseq_size, least), 0, RSEQ_SIG);
}

pid_t ForkIdentity::clone_plain(std::uint64_t flags, int* pidfd, int group) {
  return clone3(plain_arguments(flags, pidfd, group));
}

#if defined(__x86_64__)
pid_t ForkIdentity::clone_sharing(std::uint64_t flags, int* pidfd, int group, void (*body)(void*),
                                  void* argument) {
  // Not the caller's: what is called here would overwrite it below its frame.
  alignas(16) static char stack[64u << 10];
  auto arguments = plain_arguments(flags | CLONE_VM | CLONE_VFORK, pidfd, group);
  arguments.stack = reinterpret_cast<std::uintptr_t>(stack);
  arguments.stack_size = sizeof stack;
  long pid = 0;
  // The child has all registers but rax and the stack; glibc has no clone3().
  // These two the system call leaves alone, and rbp is not among them.
  register auto* const child_body asm("r12") = body;
  register void* const child_argument asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "movq %[argument], %%rdi\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "callq *%[body]\n\t"
      "ud2\n"
      "1:"
      : "=a"(pid)
      : "a"(static_cast<long>(SYS_clone3)), "D"(&arguments),
        "S"(sizeof arguments), [body] "r"(child_body), [argument] "r"(child_argument)
      : "rcx", "r11", "cc", "memory");
  if (pid >= 0) return static_cast<pid_t>(pid);
  errno = static_cast<int>(-pid);
  return -1;
}
#else
pid_t ForkIdentity::clone_sharing(std::uint64_t, int*, int, void (*)(void*), void*) {
  errno = ENOSYS;
  return -1;
}
#endif

}  // namespace plugin_worker
