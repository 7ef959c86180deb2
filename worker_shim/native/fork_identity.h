// What a child made with clone3(2) must be told about the thread it runs on,
// because glibc's fork() is not there to tell it: where glibc keeps the
// thread's id, and its robust futexes.
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
  /// only fork() is safe.
  [[nodiscard]] bool is_known() const { return thread_id_ != nullptr; }

  /// fork() with a choice of process id: the same number in this PID namespace
  /// and, `in_parent_too`, in the one around it. -1 with errno EEXIST when the
  /// number is taken, EPERM when it may not be chosen. Async-signal-safe.
  [[nodiscard]] pid_t fork_as(pid_t wanted, bool in_parent_too) const;

  /// Like fork(), for a child that stays single-threaded and calls neither
  /// pthread functions nor exit(): `flags` as of clone3(2), `pidfd` receives a
  /// descriptor with CLONE_PIDFD; `group` is the directory of the cgroup v2 to
  /// be born in, -1 for the caller's.
  static pid_t clone_plain(std::uint64_t flags, int* pidfd, int group = -1);

 private:
  void* thread_id_ = nullptr;
  void* robust_list_ = nullptr;
  std::size_t robust_list_size_ = 0;
};

}  // namespace plugin_worker
