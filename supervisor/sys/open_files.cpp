#include "supervisor/sys/open_files.h"

#include <sys/stat.h>

#include <filesystem>
#include <iterator>
#include <string>

namespace supervisor::sys {

std::uint32_t open_files(pid_t pid) {
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return 0;
  // Since Linux 6.2 the size of the directory is the number; before, it is 0.
  if (status.st_size > 0) return static_cast<std::uint32_t>(status.st_size);
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  std::uint32_t count = 0;
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error))
    ++count;
  return count;
}

}  // namespace supervisor::sys
