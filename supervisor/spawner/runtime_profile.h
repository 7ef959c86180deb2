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
  std::filesystem::path shim_dir;           // Of start_spawner.py.
  std::vector<std::filesystem::path> path;  // Imported from, before all else.
  std::vector<std::string> preloads;        // Modules, beside those of every spawner.
  std::vector<std::string> setup;           // "module:function", called after the preloads.
  std::vector<std::string> environment;     // "NAME=value"; nothing else is inherited.
  // What a plugin may do that asks for nothing: as "permissions" in a plugin.json.
  std::string permissions_json = "{}";
  std::string sandbox;  // Over the daemon's: "files=off,network=required".
  bool compat = true;   // Stand in for the host's modules.
  bool gevent = false;  // gevent's monkey patches, before anything is imported.

  friend bool operator==(const RuntimeProfile&, const RuntimeProfile&) = default;
};

/// The options of start_spawner.py and start_worker.py that make an interpreter
/// what the profile says.
std::vector<std::string> interpreter_options(const RuntimeProfile& profile);

}  // namespace supervisor::spawner
