// What a child made with clone3(2) must be told about the thread it runs on,
// because glibc's fork() is not there to tell it: where glibc keeps the
// thread's id, its robust futexes, and its restartable sequences.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace plugin_worker {

class ForkIdentity {
 public:
  /// Asks the kernel. On the process's only thread.
  ForkIdentity();

  /// False where the kernel does not tell (no CONFIG_CHECKPOINT_RESTORE): then
  /// numbers cannot be chosen, and fork() is that of the C library, which must
  /// not be called where memory is shared.
  [[nodiscard]] bool is_known() const { return thread_id_ != nullptr; }

  /// fork() with a choice of process id: the same number in this PID namespace
  /// and, `in_parent_too`, in the one around it. -1 with errno EEXIST when the
  /// number is taken, EPERM when it may not be chosen. Async-signal-safe.
  [[nodiscard]] pid_t fork_as(pid_t wanted, bool in_parent_too) const;

  /// fork() with any number.
  [[nodiscard]] pid_t fork() const { return fork_as(0, false); }

  /// Like vfork(), for a child that runs `body(argument)` on a stack of its own
  /// and never returns from it: the caller goes on when the child has executed a
  /// program or has ended. Other parameters as of clone_plain(). Only where
  /// can_share_memory.
  static pid_t clone_sharing(std::uint64_t flags, int* pidfd, int group, void (*body)(void*),
                             void* argument);
#if defined(__x86_64__)
  static constexpr bool can_share_memory = true;
#else
  static constexpr bool can_share_memory = false;
#endif

  /// Like fork(), for a child that stays single-threaded and calls neither
  /// pthread functions nor exit(): `flags` as of clone3(2), `pidfd` receives a
  /// descriptor with CLONE_PIDFD; `group` is the directory of the cgroup v2 to
  /// be born in, -1 for the caller's.
  static pid_t clone_plain(std::uint64_t flags, int* pidfd, int group = -1);

 private:
  void register_thread() const;

  void* thread_id_ = nullptr;
  void* robust_list_ = nullptr;
  std::size_t robust_list_size_ = 0;
};

}  // namespace plugin_worker
