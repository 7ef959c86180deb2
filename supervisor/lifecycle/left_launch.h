// A launch that a supervisor before this one has left behind: what it intended,
// and what has become of it.
//
// Found once, when a supervisor starts, and handed to the plugin's supervision,
// which takes the worker over or counts its end.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "plugin_supervisor/v1/launch_record.pb.h"
#include "supervisor/lifecycle/exit_record.h"
#include "supervisor/lifecycle/runtime_dir.h"
#include "supervisor/sys/failure.h"
#include "supervisor/sys/pidfd.h"

namespace supervisor::lifecycle {

struct LeftLaunch {
  v1::LaunchRecord record;
  RuntimeDir directory;
  ExitRecord exit;
  sys::Pidfd init;  // Empty when it has ended.
};

/// This boot of the kernel, as launch records name it.
std::string boot_id();

struct LeftLaunches {
  std::vector<LeftLaunch> begun;
  // Those that never forked. Their generations are used up all the same: what
  // bears their names, such as cgroups, may be there still.
  std::vector<v1::LaunchRecord> never_begun;
};

/// What is left in `runtime_dir`. A process counts as a launch's init only when
/// it is proven to be: it holds the launch's own exit record open. Directories
/// of launches that never forked or that another boot ended are removed.
/// Blocking, for a fraction of a second when a fork may be under way still.
LeftLaunches find_left_launches(const std::filesystem::path& runtime_dir);

/// The first number that no directory of a launch in `runtime_dir` has.
std::uint64_t first_free_launch(const std::filesystem::path& runtime_dir);

}  // namespace supervisor::lifecycle
