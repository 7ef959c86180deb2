#include "supervisor/lifecycle/worker_sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "supervisor/sandbox/live_sandbox.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/protection_list.h"
#include "supervisor/sys/capabilities.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {

namespace fs = std::filesystem;

namespace {

/// A directory on the way to `path` that others may not pass through; empty when
/// there is none.
fs::path obstacle_on_the_way(const fs::path& path) {
  fs::path way;
  for (const auto& part : path.parent_path()) {
    way /= part;
    struct stat status {};
    if (::stat(way.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0) return way;
  }
  return {};
}

/// Of a launch, what its worker opens.
void give_launch(const fs::path& directory, uid_t user, gid_t group) {
  for (const auto* name : {"link", "out", "err"}) {
    const auto file = directory / name;
    sys::checked("chown " + file.string(), [&] { return ::lchown(file.c_str(), user, group); });
  }
}

}  // namespace

void WorkerSandbox::write(v1::LaunchRecord& record) const {
  *record.mutable_permissions() = permissions;
  record.set_user(subject.user);
  for (const auto protection : made) record.add_made(protection);
  record.set_sandbox(modes.text());
}

WorkerSandbox WorkerSandbox::read(const v1::LaunchRecord& record) {
  WorkerSandbox sandbox;
  sandbox.permissions = record.permissions();
  sandbox.subject.user = record.user();
  for (const int number : record.made())
    sandbox.made.push_back(static_cast<v1::Protection>(number));
  if (auto modes = sandbox::ProtectionModes().with(record.sandbox()); modes.has_value())
    sandbox.modes = std::move(modes.value());
  return sandbox;
}

std::vector<v1::Protection> WorkerSandbox::ahead() const {
  auto wanted = sandbox::wanted_ahead(modes);
  // From a user namespace there is no way back to the host's network.
  if (has_host_network() && sys::is_unprivileged()) std::erase(wanted, v1::PROTECTION_NETWORK);
  return wanted;
}

void WorkerSandbox::check_user(const fs::path& launch_directory) {
  if (subject.user == 0 || sandbox::contains(made, v1::PROTECTION_ROOT)) return;
  fs::path obstacle;
  for (const auto& path : {subject.code / "plugin.py", subject.data, launch_directory / "link"}) {
    obstacle = obstacle_on_the_way(path);
    if (!obstacle.empty()) break;
  }
  if (obstacle.empty()) return;
  no_user_because_ = "another user cannot pass through " + obstacle.string();
  subject.user = 0;
  // Given to that user already; without capabilities not even root has others'.
  give_launch(launch_directory, ::geteuid(), ::getegid());
}

Outcome<v1::SandboxPlan> WorkerSandbox::plan(sandbox::SandboxPlanner& planner,
                                             const fs::path& launch_directory) const {
  auto whole = subject;
  whole.launch = launch_directory;
  whole.made = made;
  auto plan = planner.plan(permissions, modes, whole);
  if (plan.has_error() || no_user_because_.empty()) return plan;
  auto& missing = *plan.value().add_missing();
  missing.set_protection(v1::PROTECTION_USER);
  missing.set_because(no_user_because_);
  return plan;
}

std::vector<std::string> WorkerSandbox::environment() const {
  std::vector<std::string> variables{"HOME=" + subject.data.string(),
                                     "PLUGIN_DATA_DIR=" + subject.data.string()};
  // Without a /tmp of its own, files that are meant to be temporary go there.
  if (!sandbox::contains(made, v1::PROTECTION_ROOT) &&
      modes.of(v1::PROTECTION_FILES) != sandbox::ProtectionMode::off)
    variables.push_back("TMPDIR=" + subject.data.string());
  for (const auto& name : permissions.environment()) {
    if (const char* value = std::getenv(name.c_str())) variables.push_back(name + "=" + value);
  }
  return variables;
}

void WorkerSandbox::open_way(const fs::path& launch_directory) const {
  if (subject.user == 0) return;
  give_launch(launch_directory, subject.user, subject.user);
  // To pass through, not to look into: above it are others' launches.
  constexpr mode_t passable = 0711;
  for (const auto& directory : {launch_directory, launch_directory.parent_path(),
                                launch_directory.parent_path().parent_path()})
    sys::checked("chmod " + directory.string(),
                 [&] { return ::chmod(directory.c_str(), passable); });
}

bool WorkerSandbox::has_host_network() const { return sandbox::is_network_granted(permissions); }

bool WorkerSandbox::wants_filter() const {
  const bool alone = !has_host_network() && sandbox::contains(made, v1::PROTECTION_NETWORK);
  return !alone && modes.of(v1::PROTECTION_HOSTS) != sandbox::ProtectionMode::off;
}

bool WorkerSandbox::has_datagrams() const {
  auto whole = subject;
  whole.made = made;
  return sandbox::allows_datagrams(permissions, whole);
}

bool WorkerSandbox::is_done(v1::Protection protection) const {
  return sandbox::contains(outcome.done(), protection) ||
         (sandbox::contains(made, protection) && protection != v1::PROTECTION_ROOT &&
          protection != v1::PROTECTION_NETWORK);
}

std::optional<Failure> WorkerSandbox::missing_requirement(const std::string& plugin) const {
  for (const auto protection : sandbox::all_protections()) {
    if (modes.of(protection) != sandbox::ProtectionMode::required || is_done(protection)) continue;
    if (protection == v1::PROTECTION_NETWORK && has_host_network()) continue;
    std::string because = "it cannot be had here";
    for (const auto& missing : outcome.missing())
      if (missing.protection() == protection) because = missing.because();
    const auto name = sandbox::protection_name(protection);
    return make_failure(
        v1::REASON_SANDBOX_UNAVAILABLE, "sandbox",
        "Plugin '" + plugin + "' was not started: the protection \"" + name +
            "\" is required, and missing (" + because + ").",
        "See what this host lacks with pluginctl doctor, or go without: " + name + "=preferred.",
        plugin);
  }
  return std::nullopt;
}

std::optional<v1::SandboxReport> WorkerSandbox::report(pid_t pid) const {
  auto told = outcome;
  for (const auto protection : made)
    if (is_done(protection)) told.add_done(protection);
  return sandbox::read_sandbox(pid, told, modes, has_host_network());
}

}  // namespace supervisor::lifecycle
