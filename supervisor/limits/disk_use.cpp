#include "supervisor/limits/disk_use.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::limits {
namespace {

constexpr std::uint64_t least_weight = 4096;
constexpr std::uint64_t block = 512;  // Of st_blocks, whatever the file system's are.

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory opened(int at, const char* name) {
  const int fd = ::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  Directory directory(fd < 0 ? nullptr : ::fdopendir(fd));
  if (!directory && fd >= 0) ::close(fd);
  return directory;
}

bool is_self_or_parent(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

std::uint64_t weight(std::uint64_t blocks) { return std::max(least_weight, blocks * block); }

class Walk {
 public:
  void enter(Directory directory, unsigned depth) {
    if (depth > deepest_directory) {
      use.too_deep = true;
      return;
    }
    const int fd = ::dirfd(directory.get());
    while (const dirent* entry = ::readdir(directory.get())) {
      if (is_self_or_parent(entry->d_name)) continue;
      struct stat status {};
      if (::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (status.st_dev != device) continue;
      if (!S_ISDIR(status.st_mode) && status.st_nlink > 1 && !linked_.insert(status.st_ino).second)
        continue;
      use.bytes += weight(static_cast<std::uint64_t>(status.st_blocks));
      if (!S_ISDIR(status.st_mode)) continue;
      if (auto below = opened(fd, entry->d_name)) enter(std::move(below), depth + 1);
    }
  }

  DiskUse use;
  dev_t device = 0;

 private:
  std::set<ino_t> linked_;  // Those with several names, once seen.
};

/// Files without a name, each once.
class Held {
 public:
  Held(dev_t device, uid_t owner) : device_(device), owner_(owner) {}

  void look(pid_t process) {
    const auto root = "/proc/" + std::to_string(process);
    look_into(root + "/fd");
    // A thread may have a table of descriptors of its own (clone(2), CLONE_FILES).
    if (const auto tasks = opened(AT_FDCWD, (root + "/task").c_str())) {
      while (const dirent* entry = ::readdir(tasks.get())) {
        const auto thread = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
        if (thread > 0 && thread != process &&
            ::syscall(SYS_kcmp, process, thread, KCMP_FILES, 0, 0) > 0)
          look_into(root + "/task/" + entry->d_name + "/fd");
      }
    }
    look_at_maps(root);
  }

  std::uint64_t bytes = 0;

 private:
  void look_into(const std::string& table) {
    const auto directory = opened(AT_FDCWD, table.c_str());
    if (!directory) return;
    while (const dirent* entry = ::readdir(directory.get()))
      if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0)
        look_at(::dirfd(directory.get()), entry->d_name);
  }

  void look_at_maps(const std::string& root) {
    constexpr std::string_view gone = " (deleted)";
    const sys::UniqueFd files(
        ::open((root + "/map_files").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // However many there are: a plugin chooses their number, and their names.
    std::ifstream maps(root + "/maps");
    for (std::string line; files && std::getline(maps, line);)
      if (line.ends_with(gone)) look_at(files.get(), line.substr(0, line.find(' ')).c_str());
  }

  void look_at(int table, const char* name) {
    struct statx status {};
    // Not from a server: a file of another's file system may hang for ever.
    if (::statx(table, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status) != 0) return;
    if (!S_ISREG(status.stx_mode) || status.stx_nlink != 0 || status.stx_uid != owner_ ||
        ::makedev(status.stx_dev_major, status.stx_dev_minor) != device_)
      return;
    if (seen_.insert(status.stx_ino).second) bytes += weight(status.stx_blocks);
  }

  const dev_t device_;
  const uid_t owner_;
  std::set<std::uint64_t> seen_;
};

}  // namespace

DiskUse directory_use(const std::filesystem::path& directory) {
  Walk walk;
  struct stat status {};
  auto root = opened(AT_FDCWD, directory.c_str());
  if (!root || ::fstat(::dirfd(root.get()), &status) != 0) return walk.use;
  walk.device = status.st_dev;
  walk.enter(std::move(root), 1);
  return walk.use;
}

std::uint64_t held_bytes(const std::filesystem::path& directory,
                         const std::vector<pid_t>& processes) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return 0;
  Held held(status.st_dev, status.st_uid);
  for (const auto process : processes) held.look(process);
  return held.bytes;
}

}  // namespace supervisor::limits
