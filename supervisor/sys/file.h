// Small files: read with a limit, written so that a reader never sees half.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace supervisor::sys {

/// Thrown when a file holds more than the limit given.
struct FileTooLarge : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Whether a symbolic link in place of the file is followed, or fails with
/// ELOOP: a plugin's file could point at one of the host's.
enum class Links { follow, refuse };

/// The whole content of a regular file. Does not follow into devices or FIFOs
/// (a plugin could place one to block the reader). Throws std::system_error,
/// or FileTooLarge beyond `limit` bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit,
                      Links links = Links::follow);

/// Writes through a temporary file in the same directory and a rename.
/// Throws std::system_error.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, int mode);

/// The same for what need not outlive the machine: without waiting for the disk.
void replace_file(const std::filesystem::path& path, std::string_view content, int mode);

}  // namespace supervisor::sys
