// What the workers of one kind share: the interpreter, what it has imported
// before any of them is forked, and their environment.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace supervisor::spawner {

struct RuntimeProfile {
  std::string name = "standalone";
  std::filesystem::path python = "/usr/bin/python3";
  std::filesystem::path shim_dir;        // Of start_spawner.py.
  std::vector<std::string> preloads;     // Modules, beside those of every spawner.
  std::vector<std::string> environment;  // "NAME=value"; nothing else is inherited.
};

}  // namespace supervisor::spawner
