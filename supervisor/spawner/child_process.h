// Starts a program through Boost.Process, with nothing of ours inherited but
// what is named here.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/sys/failure.h"
#include "supervisor/sys/pidfd.h"

namespace supervisor::spawner {

struct ChildPlan {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value"; nothing else is inherited.
  int out = -1;                          // Become its descriptors 1, 2 and 3; borrowed.
  int err = -1;
  int extra = -1;
};

/// Leader of a session of its own, in "/", with umask 077. Fails with
/// LAUNCH_FAILED, naming the call and the errno. On the core thread.
Outcome<sys::Pidfd> start_child(const ChildPlan& plan);

}  // namespace supervisor::spawner
