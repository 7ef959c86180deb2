// What the init of a worker has written down: that it began, and how its worker
// ended (worker_shim/init/plugin_init.cpp). Survives the supervisor.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "supervisor/sys/pidfd.h"

namespace supervisor::lifecycle {

struct ExitRecord {
  pid_t init_pid = 0;                     // As the supervisor sees it; 0 = it did not begin.
  bool pid_namespace = false;             // Whether it is process 1 of one.
  std::optional<sys::ExitStatus> status;  // Of the worker, once it has ended.
  std::string failed_step;                // "mount_proc: Permission denied"; empty = none.

  /// Reads what is there by now; an absent or garbled file is an empty record.
  static ExitRecord read(const std::filesystem::path& path);
  static ExitRecord parse(const std::string& text);
};

}  // namespace supervisor::lifecycle
