// One plugin as its files tell it. A value; nothing of it runs plugin code.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::catalog {

struct CatalogEntry {
  std::string key;                  // At most 128 characters, valid UTF-8.
  std::string folder_name;          // As on disk; escaped when not UTF-8.
  std::filesystem::path directory;  // Absolute, as reached (links not resolved).
  std::string directory_text;       // The same for people; escaped when not UTF-8.
  bool has_plugin_py = false;
  bool has_package = false;     // __init__.py
  bool has_logo = false;        // logo.png, a regular file.
  bool legacy = true;           // No valid plugin.json.
  v1::PluginMetadata metadata;  // From the manifest or the syntax tree.
  std::vector<std::string> warnings;
  /// Why this directory cannot be run as a plugin; it is listed all the same.
  std::optional<Failure> error;
  /// Changes when plugin.json, plugin.py, __init__.py or logo.png change.
  std::string fingerprint;
};

}  // namespace supervisor::catalog
