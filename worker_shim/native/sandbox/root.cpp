#include "worker_shim/native/sandbox/root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <system_error>

#include "worker_shim/native/sandbox/mounts.h"
#include "worker_shim/native/sandbox/user_mapping.h"

namespace plugin_worker::sandbox {
namespace {

constexpr MountRules readable{.read_only = true};
constexpr MountRules scratch{.no_execution = true};
constexpr MountRules device{.devices = true};
constexpr mode_t everybodys = 01777;

const char* mount_scratch(const char* path, std::uint64_t bytes, mode_t mode) {
  char options[96];
  // As many files as there is room for pages: the default is for the machine.
  constexpr unsigned page = 4096;
  std::snprintf(options, sizeof options, "mode=%o,size=%llu,nr_inodes=%llu", mode,
                static_cast<unsigned long long>(bytes),
                static_cast<unsigned long long>(bytes / page));
  if (::mkdir(path, 0755) != 0 && errno != EEXIST) return "root_directory";
  if (::mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0)
    return "root_tmpfs";
  return nullptr;
}

const char* make_devices(std::uint64_t shared_memory_bytes) {
  constexpr const char* nodes[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                   "/dev/urandom"};
  for (const auto* node : nodes) {
    const int place = make_place(node, node + 1, false);
    if (place < 0 || (place > 0 && bind(node, node + 1, device) != 0)) return "root_devices";
  }
  constexpr const char* links[][2] = {{"/proc/self/fd", "dev/fd"},
                                      {"/proc/self/fd/0", "dev/stdin"},
                                      {"/proc/self/fd/1", "dev/stdout"},
                                      {"/proc/self/fd/2", "dev/stderr"}};
  for (const auto& link : links) {
    if (::symlink(link[0], link[1]) != 0) return "root_devices";
  }
  return mount_scratch("dev/shm", shared_memory_bytes, everybodys);
}

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct OpenFile {
  explicit OpenFile(int opened) : fd(opened) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  const int fd;
};

void write_file(const char* path, const std::string& text) {
  ::unlink(path);
  const int file = ::open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) fail(path);
  const auto put = ::write(file, text.data(), text.size());
  ::close(file);
  if (put != static_cast<ssize_t>(text.size())) fail(path);
}

/// What is at `path`, if there is no link on the way; -1 otherwise. Who may write
/// beside what another was granted can put a link to anything there.
int open_itself(const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
}

/// False when it need not be, or the file system cannot: as what it is, then. So
/// is what a link leads to: by its own right nobody may give it away.
bool bind_as_owner(const RootPath& path, uid_t uid, gid_t gid, const MountRules& rules) {
  constexpr mode_t for_others = S_IROTH | S_IXOTH;
  const OpenFile itself(open_itself(old_root + path.path));
  struct stat status {};
  if (itself.fd < 0 || ::fstat(itself.fd, &status) != 0) return false;
  // The very thing that was looked at.
  const auto source = "/proc/self/fd/" + std::to_string(itself.fd);
  if (!path.write && (status.st_mode & for_others) == for_others) return false;
  try {
    const UserMapping mapping({status.st_uid, uid}, {status.st_gid, gid});
    return bind_mapped(source.c_str(), path.path.c_str() + 1, mapping.fd(), rules) == 0;
  } catch (const std::system_error&) {
    return false;
  }
}

void add(const RootPath& path, uid_t uid, gid_t gid) {
  const auto source = old_root + path.path;
  const char* const target = path.path.c_str() + 1;
  const MountRules rules{.read_only = !path.write && !path.devices,
                         .no_execution = path.write,
                         .devices = path.devices};
  const int place = make_place(source.c_str(), target, false);
  if (place < 0) fail(path.path);
  if (place == 0) return;
  if (path.as_owner && uid != 0 && bind_as_owner(path, uid, gid, rules)) return;
  if (bind(source.c_str(), target, rules) != 0) fail(path.path);
}

/// Nothing of a plugin may run while the host's root is in sight.
struct HostRootGoes {
  HostRootGoes() = default;
  HostRootGoes(const HostRootGoes&) = delete;
  HostRootGoes& operator=(const HostRootGoes&) = delete;
  ~HostRootGoes() {
    if (is_root_begun() && ::umount2(old_root, MNT_DETACH) != 0) ::_exit(125);
  }
};

}  // namespace

const char* begin_root(const RootSetup& setup) {
  ::umask(022);
  // What is put into it are places to mount upon, and two small files.
  if (::mount("tmpfs", setup.staging, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") != 0)
    return "root_tmpfs";
  if (::chdir(setup.staging) != 0) return "root_directory";
  // Its own first: what is the host's may be seen below one of these.
  for (const auto* directory : {"proc", "var", "run"}) {
    if (::mkdir(directory, 0755) != 0) return "root_directory";
  }
  if (::mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return "mount_proc";
  if (const auto* step = mount_scratch("tmp", setup.temporary_bytes, everybodys)) return step;
  if (::symlink("/tmp", "var/tmp") != 0) return "root_directory";
  if (const auto* step = make_devices(setup.temporary_bytes)) return step;
  for (std::size_t i = 0; i < setup.path_count; ++i) {
    const char* path = setup.paths[i];
    const int place = make_place(path, path + 1, true);
    if (place < 0 || (place > 0 && bind(path, path + 1, readable) != 0)) return "root_bind";
  }
  if (::mkdir(old_root + 1, 0700) != 0) return "root_directory";
  if (::syscall(SYS_pivot_root, ".", old_root + 1) != 0) return "pivot_root";
  if (::chdir("/") != 0) return "root_directory";
  return nullptr;
}

bool is_root_begun() { return ::access(old_root, F_OK) == 0; }

void complete_root(const std::vector<RootPath>& paths, uid_t uid, gid_t gid,
                   const std::string& users, const std::string& groups, const std::string& hosts) {
  const mode_t before = ::umask(022);
  const HostRootGoes whatever_fails;
  if (::chdir("/") != 0) fail("/");
  for (const auto& path : paths) add(path, uid, gid);
  if (::mkdir("etc", 0755) != 0 && errno != EEXIST) fail("/etc");
  write_file("etc/passwd", users);
  write_file("etc/group", groups);
  // Over the host's, where that is shared.
  if (!hosts.empty()) {
    if (::access("etc/hosts", F_OK) != 0) write_file("etc/hosts", "");
    if (bind((old_root + hosts).c_str(), "etc/hosts", readable) != 0) fail("/etc/hosts");
  }
  if (::umount2(old_root, MNT_DETACH) != 0 || ::rmdir(old_root) != 0) fail(old_root);
  if (set_rules("/", {.read_only = true}, false) != 0) fail("/");
  ::umask(before);
}

}  // namespace plugin_worker::sandbox
