// The directory in which a plugin keeps its files.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace supervisor::lifecycle {

/// Makes it when it is not there; nobody else may look into it. Throws
/// std::system_error.
void make_data_directory(const std::filesystem::path& directory);

/// Gives it, with all it holds, to `user` when it belongs to another; 0 = to us.
/// Throws std::system_error.
void give_data_directory(const std::filesystem::path& directory, uid_t user);

}  // namespace supervisor::lifecycle
