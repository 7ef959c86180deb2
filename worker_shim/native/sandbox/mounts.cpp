#include "worker_shim/native/sandbox/mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

// Not from sys/mount.h, which disagrees with linux/mount.h (glibc bug 29327).
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*) noexcept;

namespace plugin_worker::sandbox {
namespace {

int make_directories(char* path) {
  for (char* slash = std::strchr(path, '/'); slash != nullptr;
       slash = std::strchr(slash + 1, '/')) {
    *slash = '\0';
    const int made = ::mkdir(path, 0755);
    *slash = '/';
    if (made != 0 && errno != EEXIST) return -1;
  }
  return 0;
}

int make_link(const char* source, const char* path) {
  char target[PATH_MAX];
  const auto size = ::readlink(source, target, sizeof target - 1);
  if (size < 0) return -1;
  target[size] = '\0';
  return ::symlink(target, path) == 0 || errno == EEXIST ? 0 : -1;
}

}  // namespace

int make_place(const char* source, const char* path, bool keep_links) {
  struct stat status {};
  if (::stat(source, &status) != 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  char copy[PATH_MAX];
  if (std::strlen(path) >= sizeof copy) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::strcpy(copy, path);
  if (make_directories(copy) != 0) return -1;
  struct stat itself {};
  if (keep_links && S_ISDIR(status.st_mode) && ::lstat(source, &itself) == 0 &&
      S_ISLNK(itself.st_mode))
    return make_link(source, path);
  if (S_ISDIR(status.st_mode)) return ::mkdir(path, 0755) == 0 || errno == EEXIST ? 1 : -1;
  const int file = ::open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return -1;
  ::close(file);
  return 1;
}

int bind(const char* source, const char* path, const MountRules& rules) {
  if (::mount(source, path, nullptr, 4096 /* MS_BIND */ | 16384 /* MS_REC */, nullptr) != 0)
    return -1;
  return set_rules(path, rules, true);
}

int bind_mapped(const char* source, const char* path, int mapping, const MountRules& rules) {
  const auto tree = static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (tree < 0) return -1;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(mapping);
  long result =
      ::syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
  if (result == 0)
    result = ::syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
  const int error = errno;
  ::close(tree);
  errno = error;
  return result == 0 ? set_rules(path, rules, false) : -1;
}

int set_rules(const char* path, const MountRules& rules, bool below) {
  constexpr std::uint64_t all =
      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID | (rules.read_only ? MOUNT_ATTR_RDONLY : 0) |
                        (rules.devices ? 0 : MOUNT_ATTR_NODEV) |
                        (rules.no_execution ? MOUNT_ATTR_NOEXEC : 0);
  attributes.attr_clr = all & ~attributes.attr_set;
  const unsigned flags = below ? AT_RECURSIVE : 0;
  const auto set = [&] {
    return static_cast<int>(
        ::syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof attributes));
  };
  if (set() == 0) return 0;
  if (errno != EPERM) return -1;
  // In a user namespace nothing is taken off what the host has mounted so
  // (mount_namespaces(7)): it stays as strict as it is.
  attributes.attr_clr = 0;
  return set();
}

}  // namespace plugin_worker::sandbox
