// Starts the process of one launch, through Boost.Process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/sys/failure.h"
#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::lifecycle {

struct LaunchPlan {
  std::filesystem::path python;
  std::filesystem::path shim_dir;
  std::filesystem::path socket;
  std::string plugin;
  std::uint64_t generation = 0;
  std::string token;                     // Handed over through a pipe, on descriptor 3.
  std::vector<std::string> environment;  // "NAME=value"; nothing else is inherited.
};

struct WorkerProcess {
  sys::Pidfd process;  // Leader of its own session and process group.
  sys::UniqueFd out;   // Read ends of its stdout and stderr, non-blocking.
  sys::UniqueFd err;
};

/// Fails with LAUNCH_FAILED, naming the call and the errno. On the
/// supervisor's Asio thread.
Outcome<WorkerProcess> launch_worker(const LaunchPlan& plan);

}  // namespace supervisor::lifecycle
