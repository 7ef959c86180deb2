#include "supervisor/sandbox/planner.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "supervisor/sandbox/destination.h"
#include "supervisor/sandbox/network_rules.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/programs.h"
#include "supervisor/sandbox/protection_list.h"
#include "supervisor/sandbox/system_paths.h"

namespace supervisor::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr const char* program_path = "/usr/local/bin:/usr/bin:/bin";

/// The directories that an interpreter's own modules are in: /venv of
/// /venv/bin/python3, and that of the program which this is a link to.
std::vector<fs::path> prefixes_of(const fs::path& interpreter) {
  std::vector<fs::path> prefixes;
  if (interpreter.empty()) return prefixes;
  std::error_code none;
  for (const auto& file : {interpreter, fs::canonical(interpreter, none)}) {
    auto prefix = file.parent_path().parent_path();
    if (prefix.has_relative_path()) prefixes.push_back(std::move(prefix));
  }
  return prefixes;
}

std::vector<fs::path> device_files(const std::string& name) {
  if (name == "dri") return {"/dev/dri"};
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/dev", none)) {
    if (entry.path().filename().string().starts_with("nvidia")) files.push_back(entry.path());
  }
  return files;
}

void add_path(v1::SandboxPlan& plan, const fs::path& path, const v1::SandboxPlan::Path& how) {
  if (path.empty()) return;
  auto& added = *plan.add_paths();
  added = how;
  added.set_path(path.string());
}

v1::SandboxPlan::Path how(bool write, bool of_plugin) {
  v1::SandboxPlan::Path path;
  path.set_write(write);
  path.set_of_plugin(of_plugin);
  return path;
}

/// Of a plugin that has one to itself, where that is not the system's.
void add_own_interpreter(v1::SandboxPlan& plan, const SandboxSubject& subject) {
  if (!subject.executes) return;
  for (const auto& prefix : outermost(prefixes_of(subject.interpreter))) {
    if (prefix != "/usr" && prefix != "/usr/local") add_path(plan, prefix, how(false, true));
  }
}

void add_devices(v1::SandboxPlan& plan, const v1::Permissions& permissions) {
  std::set<gid_t> groups;
  for (const auto& name : permissions.devices()) {
    for (const auto& file : device_files(name)) {
      auto path = how(true, true);
      path.set_devices(true);
      add_path(plan, file, path);
      std::error_code none;
      for (const auto& node : fs::directory_iterator(file, none)) {
        struct stat status {};
        if (::stat(node.path().c_str(), &status) == 0 && status.st_gid != 0)
          groups.insert(status.st_gid);
      }
    }
    // What libraries read to find out what a device is.
    for (const auto* kernel : {"/sys/dev/char", "/sys/devices", "/sys/class/drm"})
      add_path(plan, kernel, how(false, true));
  }
  for (const auto group : groups) plan.add_more_groups(group);
}

void add_programs(v1::SandboxPlan& plan, const v1::Permissions& permissions,
                  const SandboxSubject& subject) {
  std::set<fs::path> files;
  const auto add = [&](const std::string& name) {
    for (auto& file : files_of_program(name, program_path)) files.insert(std::move(file));
  };
  for (const auto& name : permissions.exec())
    add(name == "self" ? subject.interpreter.string() : name);
  if (subject.executes) add(subject.interpreter.string());
  for (const auto& file : files) {
    auto path = how(false, false);
    path.set_execute(true);
    add_path(plan, file, path);
  }
}

void add_kernel_files(v1::SandboxPlan& plan, bool own_root, bool own_processes) {
  for (const auto* node : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"})
    add_path(plan, node, how(true, false));
  if (own_root) {
    for (const auto* scratch : {"/tmp", "/dev/shm"}) add_path(plan, scratch, how(true, false));
  }
  if (own_processes) {
    add_path(plan, "/proc", how(true, false));
    return;
  }
  // Of other processes nothing. "self" is, at that moment, the worker itself.
  for (const auto* file :
       {"/proc/self", "/proc/thread-self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat",
        "/proc/uptime", "/proc/loadavg", "/proc/version", "/proc/filesystems", "/proc/sys"})
    add_path(plan, file, how(false, false));
}

void add_network(v1::SandboxPlan& plan, const v1::Permissions& permissions, bool own_network) {
  const auto& network = permissions.network();
  const bool granted = is_network_granted(permissions);
  plan.set_host_network(granted);
  if (own_network && !granted) {
    // Alone with itself it may talk to itself. A port of its choice is for
    // others to find: better refused than never found.
    plan.add_listen(0);
    plan.set_any_connect(true);
  }
  // Hosts are the NetworkFilter's to tell apart.
  for (const auto& destination : network.outbound()) {
    const auto where = parse_destination(destination);
    if (!where) continue;
    if (where->port != 0) {
      plan.add_connect(where->port);
    } else {
      plan.set_any_connect(true);
    }
  }
  for (const auto port : network.listen()) plan.add_listen(port);
}

void add_names(v1::SandboxPlan& plan, const SandboxSubject& subject) {
  const auto id = std::to_string(subject.user);
  const auto home = subject.data.empty() ? std::string("/") : subject.data.string();
  std::string users = "root:x:0:0:root:/:/usr/sbin/nologin\n";
  std::string groups = "root:x:0:\n";
  if (subject.user != 0) {
    users += "plugin:x:" + id + ":" + id + ":plugin:" + home + ":/usr/sbin/nologin\n";
    groups += "plugin:x:" + id + ":\n";
  }
  users += "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n";
  groups += "nogroup:x:65534:\n";
  plan.set_users(std::move(users));
  plan.set_groups(std::move(groups));
}

}  // namespace

std::vector<std::string> shared_paths(const fs::path& interpreter,
                                      const std::vector<fs::path>& profile) {
  auto paths = system_paths();
  paths.insert(paths.end(), profile.begin(), profile.end());
  for (auto& prefix : prefixes_of(interpreter)) paths.push_back(std::move(prefix));
  std::vector<std::string> texts;
  for (const auto& path : outermost(std::move(paths))) texts.push_back(path.string());
  return texts;
}

bool allows_datagrams(const v1::Permissions& permissions, const SandboxSubject& subject) {
  const bool alone =
      !is_network_granted(permissions) && contains(subject.made, v1::PROTECTION_NETWORK);
  return alone || subject.filtered || !is_without_names(permissions.network());
}

Outcome<v1::SandboxPlan> SandboxPlanner::plan(const v1::Permissions& permissions,
                                              const ProtectionModes& modes,
                                              const SandboxSubject& subject) {
  v1::SandboxPlan plan;
  const bool own_root = contains(subject.made, v1::PROTECTION_ROOT);
  const bool own_network = contains(subject.made, v1::PROTECTION_NETWORK);
  if (modes.of(v1::PROTECTION_USER) != ProtectionMode::off && subject.user != 0) {
    plan.set_uid(subject.user);
    plan.set_gid(subject.user);
  }
  add_own_interpreter(plan, subject);
  auto code = how(false, true);
  code.set_as_owner(true);
  add_path(plan, subject.code, code);
  add_path(plan, subject.data, how(true, true));
  add_path(plan, subject.launch, how(false, true));
  // What it prints into, for those who open it again by /dev/stdout.
  for (const auto* pipe : {"out", "err"}) add_path(plan, subject.launch / pipe, how(true, false));
  for (const auto& path : permissions.filesystem().read()) {
    auto read = how(false, true);
    read.set_as_owner(true);
    add_path(plan, path, read);
  }
  for (const auto& path : permissions.filesystem().write()) {
    auto write = how(true, true);
    write.set_as_owner(true);
    add_path(plan, path, write);
  }
  add_devices(plan, permissions);
  add_programs(plan, permissions, subject);
  add_kernel_files(plan, own_root, own_root && contains(subject.made, v1::PROTECTION_PROCESSES));
  add_network(plan, permissions, own_network);
  add_names(plan, subject);
  plan.set_directory(subject.data.string());
  if (own_root && !subject.hosts_file.empty()) {
    plan.set_hosts_file(subject.hosts_file.string());
    add_path(plan, "/etc/hosts", how(false, false));  // Another file than the others' is.
  }

  const SeccompPolicy policy{.internet = plan.host_network() || own_network,
                             .datagrams = allows_datagrams(permissions, subject),
                             .execute = permissions.exec_size() > 0 || subject.executes,
                             .ipc = contains(subject.made, v1::PROTECTION_IPC)};
  auto found = compiled_.find(policy);
  if (found == compiled_.end()) {
    auto program = compile_refused_calls(policy);
    if (program.has_error()) return program.error();
    found = compiled_.emplace(policy, std::move(program.value())).first;
  }
  plan.set_seccomp_refused(found->second);

  for (const auto protection : modes.wanted()) {
    // Granted: it is to be where the host's network is.
    if (protection == v1::PROTECTION_NETWORK && plan.host_network()) continue;
    plan.add_wanted(protection);
  }
  return plan;
}

}  // namespace supervisor::sandbox
