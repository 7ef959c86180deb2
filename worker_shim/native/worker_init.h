// The init of one worker: parent of the process that runs the plugin, reaper of
// everything the plugin starts. With a PID namespace it is process 1 of it, and
// its end is the end of all of them; without one it is their subreaper and ends
// them itself.
//
// Made by the spawner, it forks the worker and becomes a program of its own
// (init/plugin_init.cpp). It keeps one descriptor, the exit record, to which it
// writes its own number and how the worker ended, so that also a supervisor that
// was not there can read it.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "worker_shim/native/fork_identity.h"
#include "worker_shim/native/sandbox/root.h"

namespace plugin_worker {

struct InitSetup {
  const ForkIdentity* identity = nullptr;
  bool pid_namespace = false;                // Whether this process was made as 1 of one.
  bool own_groups = false;                   // It is to have a cgroup namespace.
  bool host_name = false;                    // It has a UTS namespace,
  int host_network = -1;                     // and a network namespace: this is the host's.
  const sandbox::RootSetup* root = nullptr;  // Of the root it is to have; needs a PID namespace.
  int out = -1;                              // Become the worker's descriptors 1, 2 and 3.
  int err = -1;
  int assignment = -1;
  int exit_record = -1;
  int init_program = -1;  // To be executed by the init.
  // Files of cgroups of version 1: writing "0" moves the writer into the group.
  const int* task_files = nullptr;
  std::size_t task_file_count = 0;
  unsigned open_files = 0;  // RLIMIT_NOFILE of the worker; 0 = as it is.
  // The worker will execute a program: it keeps the exit record as descriptor
  // `record_until_exec`, to tell when that fails.
  bool will_exec = false;
};

inline constexpr int assignment_fd = 3;
inline constexpr int record_until_exec = 4;
// The host's network namespace, until it is known whether the plugin may use it.
inline constexpr int host_network_fd = 5;

/// In the worker: tells in the exit record that `step` failed, with errno, and
/// ends. Only with will_exec, and before the exec.
[[noreturn]] void fail_before_exec(const char* step);

/// Forks the worker; returns in it, and in no other process. Changes no memory
/// but errno and its own stack: the caller may share it with a spawner that
/// waits, as after vfork(2); the worker does not share it. The worker has
/// its descriptors and the signal mask of the caller; its assignment, or its
/// token, is to be read from assignment_fd.
void become_init(const InitSetup& setup);

/// Makes the mounts of a PID namespace's init: a /proc of its own, or a whole
/// root. The name of the step that failed, with errno set; null when none did.
const char* make_own_mounts(const sandbox::RootSetup* root);

}  // namespace plugin_worker
