// How much of a disk a plugin takes: what is in its data directory, and what it
// holds open although it has no name any more.
//
// Reads directories and /proc, which may take long: not for the core thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace supervisor::limits {

struct DiskUse {
  // Blocks that are allocated, not sizes: holes take nothing. Whatever has an
  // inode weighs at least 4 KiB, so that countless empty files count.
  std::uint64_t bytes = 0;
  // It holds directories too deep to be measured; see deepest_directory.
  bool too_deep = false;
};

inline constexpr unsigned deepest_directory = 128;

/// All at and below `directory`, each file once, whatever names it has. What is
/// mounted there is not looked into; what goes away meanwhile is left out.
DiskUse directory_use(const std::filesystem::path& directory);

/// Files without a name that `processes` hold, open or mapped: those that belong
/// to the owner of `directory` and are on its file system. In bytes, as above.
std::uint64_t held_bytes(const std::filesystem::path& directory,
                         const std::vector<pid_t>& processes);

}  // namespace supervisor::limits
