// Which files must be executable for a program to be started. Reads the file
// system; callable from any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace supervisor::sandbox {

/// The file of `name` as a shell would find it in `path` ("/usr/bin:/bin"), or
/// `name` itself when it is absolute; what its first line names when it is a
/// script; and what the kernel loads first to run these (ld.so). Empty when
/// there is no such program.
std::vector<std::filesystem::path> files_of_program(const std::string& name,
                                                    const std::string& path);

}  // namespace supervisor::sandbox
