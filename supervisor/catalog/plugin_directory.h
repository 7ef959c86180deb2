// What stat() says of a folder in the plugin directory, without opening any
// file in it. A value, made anew at every scan.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/catalog/fingerprint.h"

namespace supervisor::catalog {

/// A file that the catalog or a worker would open.
struct CandidateFile {
  enum class Kind {
    absent,
    regular,
    irregular,    // A directory, FIFO, socket or device.
    unreachable,  // The name is there, what it leads to is not; see `error`.
  };
  Kind kind = Kind::absent;
  int error = 0;  // errno when unreachable.
  struct stat status {};

  [[nodiscard]] bool is_regular() const { return kind == Kind::regular; }
  /// A name that is there and yet is no file that can be read.
  [[nodiscard]] bool is_broken() const {
    return kind == Kind::irregular || kind == Kind::unreachable;
  }
  /// "is a FIFO, not a regular file"; "cannot be reached: Permission denied".
  [[nodiscard]] std::string problem() const;
};

struct PluginDirectory {
  std::string name;  // As on disk, any bytes.
  std::filesystem::path path;
  int error = 0;              // errno when the name leads to no directory.
  bool holds_itself = false;  // A link to the plugin directory or above it.
  struct stat status {};
  CandidateFile plugin_py;
  CandidateFile package;  // __init__.py
  CandidateFile manifest;
  CandidateFile logo;

  /// Holds plugin.py or __init__.py, or nobody can tell.
  [[nodiscard]] bool is_plugin() const;
  void add_to(Fingerprint& fingerprint) const;
};

/// A name in the plugin directory, and whether it is a symbolic link.
struct FolderName {
  std::string name;
  bool maybe_link = false;
};

/// The names that may be plugins, in byte order: no plain files, nothing that
/// begins with a dot. Throws std::system_error when `plugins_dir` cannot be
/// listed.
std::vector<FolderName> folder_names(const std::filesystem::path& plugins_dir);

/// Nothing when the name is not a directory, or is gone by now.
std::optional<PluginDirectory> look_at(const std::filesystem::path& plugins_dir,
                                       const FolderName& folder);

}  // namespace supervisor::catalog
