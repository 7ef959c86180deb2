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

#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"
#include "worker_shim/native/sandbox/mounts.h"
#include "worker_shim/native/sandbox/user_mapping.h"

namespace plugin_worker::sandbox {

using supervisor::sys::throw_errno;
using supervisor::sys::UniqueFd;

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

void write_file(const char* path, const std::string& text) {
  ::unlink(path);
  const UniqueFd file(::open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!file) throw_errno(path);
  const auto put = ::write(file.get(), text.data(), text.size());
  if (put != static_cast<ssize_t>(text.size())) throw_errno(path);
}

/// The host's root, while one of the plugin's own is completed from it. Nothing of
/// a plugin may run while it is in sight, whatever fails.
class HostRoot {
 public:
  // Throws nothing, so that it goes again in any case; without it open() finds none.
  HostRoot() : root_(::open(old_root, O_PATH | O_DIRECTORY | O_CLOEXEC)) {}
  HostRoot(const HostRoot&) = delete;
  HostRoot& operator=(const HostRoot&) = delete;
  ~HostRoot() {
    if (!is_gone_ && ::umount2(old_root, MNT_DETACH) != 0) ::_exit(125);
  }

  /// What the host has at `path`: its links lead within its own root, not ours.
  /// With `itself`, only what no link is on the way to. Empty when there is none.
  [[nodiscard]] UniqueFd open(const std::string& path, bool itself) const {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | (itself ? RESOLVE_NO_SYMLINKS : 0);
    return UniqueFd(
        static_cast<int>(::syscall(SYS_openat2, root_.get(), path.c_str() + 1, &how, sizeof how)));
  }

  void let_go() {
    root_.reset();
    if (::umount2(old_root, MNT_DETACH) != 0) throw_errno(old_root);
    is_gone_ = true;
    if (::rmdir(old_root) != 0) throw_errno(old_root);
  }

 private:
  UniqueFd root_;
  bool is_gone_ = false;
};

/// The very thing that was opened.
std::string path_of(const UniqueFd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

/// False when it need not be, or the file system cannot: as what it is, then. So
/// is what a link leads to: who may write beside what another was granted can
/// put a link to anything there, and by its own right nobody may give it away.
bool bind_as_owner(const HostRoot& host, const RootPath& path, uid_t uid, gid_t gid,
                   const MountRules& rules) {
  constexpr mode_t for_others = S_IROTH | S_IXOTH;
  const auto itself = host.open(path.path, true);
  struct stat status {};
  if (!itself || ::fstat(itself.get(), &status) != 0) return false;
  if (!path.write && (status.st_mode & for_others) == for_others) return false;
  try {
    const UserMapping mapping({status.st_uid, uid}, {status.st_gid, gid});
    return bind_mapped(path_of(itself).c_str(), path.path.c_str() + 1, mapping.fd(), rules) == 0;
  } catch (const std::system_error&) {
    return false;
  }
}

void add(const HostRoot& host, const RootPath& path, uid_t uid, gid_t gid) {
  const auto source = host.open(path.path, false);
  if (!source && (errno == ENOENT || errno == ENOTDIR)) return;
  if (!source) throw_errno(path.path);
  const char* const target = path.path.c_str() + 1;
  const MountRules rules{.read_only = !path.write && !path.devices,
                         .no_execution = path.write,
                         .devices = path.devices};
  if (make_place(path_of(source).c_str(), target, false) <= 0) throw_errno(path.path);
  if (path.as_owner && uid != 0 && bind_as_owner(host, path, uid, gid, rules)) return;
  if (bind(path_of(source).c_str(), target, rules) != 0) throw_errno(path.path);
}

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

void complete_root(const std::vector<RootPath>& paths, uid_t uid, gid_t gid,
                   const std::string& users, const std::string& groups, const std::string& hosts) {
  const mode_t before = ::umask(022);
  HostRoot host;
  if (::chdir("/") != 0) throw_errno("/");
  for (const auto& path : paths) add(host, path, uid, gid);
  if (::mkdir("etc", 0755) != 0 && errno != EEXIST) throw_errno("/etc");
  write_file("etc/passwd", users);
  write_file("etc/group", groups);
  // Over the host's, where that is shared.
  if (!hosts.empty()) {
    if (::access("etc/hosts", F_OK) != 0) write_file("etc/hosts", "");
    const auto source = host.open(hosts, false);
    if (!source || bind(path_of(source).c_str(), "etc/hosts", readable) != 0)
      throw_errno("/etc/hosts");
  }
  host.let_go();
  if (set_rules("/", {.read_only = true}, false) != 0) throw_errno("/");
  ::umask(before);
}

}  // namespace plugin_worker::sandbox
