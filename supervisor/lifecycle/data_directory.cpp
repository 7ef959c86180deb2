#include "supervisor/lifecycle/data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {

namespace fs = std::filesystem;

void make_data_directory(const fs::path& directory) {
  struct stat status {};
  if (::lstat(directory.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return;
    throw fs::filesystem_error("it is no directory", directory,
                               std::make_error_code(std::errc::not_a_directory));
  }
  fs::create_directories(directory.parent_path());
  // To pass through, not to look into.
  fs::permissions(directory.parent_path(), fs::perms(0711));
  sys::checked("mkdir " + directory.string(), [&] { return ::mkdir(directory.c_str(), 0700); });
}

void give_data_directory(const fs::path& directory, uid_t user) {
  const uid_t owner = user == 0 ? ::geteuid() : user;
  const gid_t group = user == 0 ? ::getegid() : user;
  struct stat status {};
  sys::checked("stat " + directory.string(), [&] { return ::lstat(directory.c_str(), &status); });
  if (status.st_uid == owner) return;
  const auto give = [owner, group](const fs::path& path) {
    sys::checked("chown " + path.string(), [&] { return ::lchown(path.c_str(), owner, group); });
  };
  for (const auto& entry : fs::recursive_directory_iterator(directory)) give(entry.path());
  give(directory);  // Last: it tells that all is done.
}

}  // namespace supervisor::lifecycle
