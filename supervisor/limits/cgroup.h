// One cgroup of one launch: a directory in one hierarchy, of version 1 or 2.
// Made, or taken over from an earlier supervisor, and removed with this object
// if nothing is left in it (cgroups(7)).
//
// Owned by a LaunchLimits. Its methods read and write small kernel files and
// do not wait.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::limits {

/// The files of a group that somebody else keeps.
class CgroupFiles {
 public:
  enum class Version { v1, v2 };

  CgroupFiles(Version version, std::filesystem::path directory)
      : version_(version), directory_(std::move(directory)) {}

  [[nodiscard]] Version version() const { return version_; }
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

  /// Writes one of the group's files. False, with errno set, when the kernel
  /// refuses.
  bool set(const char* file, const std::string& value) const;
  /// The number in a file; nothing when there is none ("max").
  [[nodiscard]] std::optional<std::uint64_t> number(const char* file) const;
  /// The number behind `name` in a file of "name number" lines.
  [[nodiscard]] std::optional<std::uint64_t> entry(const char* file, std::string_view name) const;

  /// What a process that is to be in the group needs: of version 1 the file
  /// `tasks`, open for writing "0" into it (one thread that moves itself does
  /// not wait for the whole machine's threads, as a write to cgroup.procs does:
  /// 30 us instead of 8 ms); of version 2 the directory, for CLONE_INTO_CGROUP.
  /// Empty when it cannot be opened.
  [[nodiscard]] sys::UniqueFd way_in() const;

  /// The processes in it, numbered as here.
  [[nodiscard]] std::vector<pid_t> processes() const;
  [[nodiscard]] bool is_empty() const { return processes().empty(); }

  /// Sends SIGKILL to everything in it; new processes cannot escape. Returns
  /// how many there were. They end soon after: see is_empty().
  int kill_all() const;

 private:
  [[nodiscard]] std::string read(const char* file) const;

  const Version version_;
  const std::filesystem::path directory_;
};

/// A group of ours.
class Cgroup : public CgroupFiles {
 public:
  /// Makes the group, or takes the one that is there. Null, with errno set,
  /// when that is impossible.
  static std::unique_ptr<Cgroup> make(Version version, std::filesystem::path directory);
  /// The group that is there; null when there is none.
  static std::unique_ptr<Cgroup> find(Version version, std::filesystem::path directory);
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

 private:
  using CgroupFiles::CgroupFiles;
};

}  // namespace supervisor::limits
