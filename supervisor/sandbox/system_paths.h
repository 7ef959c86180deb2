// What every program needs to see of the host, to be read.
#pragma once

#include <filesystem>
#include <vector>

namespace supervisor::sandbox {

/// Programs, libraries, and of /etc what names, certificates, time zones and the
/// dynamic linker are read from. Some may not exist. No directory is below
/// another.
const std::vector<std::filesystem::path>& system_paths();

/// Without those that are at or below another.
std::vector<std::filesystem::path> outermost(std::vector<std::filesystem::path> paths);

}  // namespace supervisor::sandbox
