// The command line of pluginctl: the verbs in their groups and the options
// that all of them take. Built in one place, so that the help, the completions
// and the manual page are all made of the same.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "supervisor/cli/verb.h"

namespace supervisor::cli {

struct CommandLine {
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  CLI::App root;
  bool json = false;
  std::vector<Verb> verbs;  // In the order of the help.
};

}  // namespace supervisor::cli
