#include "worker_shim/native/sandbox/apply.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <system_error>

#include "supervisor/sandbox/protection_list.h"
#include "worker_shim/native/sandbox/credentials.h"
#include "worker_shim/native/sandbox/landlock.h"
#include "worker_shim/native/sandbox/preparation.h"
#include "worker_shim/native/sandbox/root.h"
#include "worker_shim/native/sandbox/seccomp.h"
#include "worker_shim/native/worker_init.h"

namespace plugin_worker::sandbox {
namespace {

class Steps {
 public:
  explicit Steps(const v1::SandboxPlan& plan) : plan_(plan) {}

  [[nodiscard]] bool wants(v1::Protection protection) const {
    return supervisor::sandbox::contains(plan_.wanted(), protection);
  }

  /// True when it was wanted, and done.
  bool take(v1::Protection protection, const std::function<void()>& step) {
    if (!wants(protection)) return false;
    try {
      step();
    } catch (const std::exception& error) {
      miss(protection, error.what());
      return false;
    }
    outcome.add_done(protection);
    return true;
  }

  void miss(v1::Protection protection, const std::string& because) {
    auto& missing = *outcome.add_missing();
    missing.set_protection(protection);
    missing.set_because(because);
  }

  v1::SandboxOutcome outcome;

 private:
  const v1::SandboxPlan& plan_;
};

PortRules port_rules(const v1::SandboxPlan& plan, const Steps& steps) {
  const bool ports = steps.wants(v1::PROTECTION_PORTS);
  PortRules rules;
  rules.any_listen = !ports;
  rules.any_connect = plan.any_connect() || !ports;
  rules.listen.assign(plan.listen().begin(), plan.listen().end());
  rules.connect.assign(plan.connect().begin(), plan.connect().end());
  rules.scope = steps.wants(v1::PROTECTION_SCOPE);
  return rules;
}

/// The files it names must be seen, so before this process is somebody else.
void complete_files(const v1::SandboxPlan& plan, Preparation& prepared) {
  if (!prepared.files) return;
  try {
    for (const auto& path : plan.paths())
      prepared.files->allow({path.path(), path.write(), path.execute()});
  } catch (const std::exception& error) {
    prepared.files.reset();
    prepared.why_no_files = error.what();
  }
}

std::vector<RootPath> root_paths(const v1::SandboxPlan& plan) {
  std::vector<RootPath> paths;
  for (const auto& path : plan.paths())
    if (path.of_plugin())
      paths.push_back({path.path(), path.write(), path.devices(), path.as_owner()});
  return paths;
}

/// In the plugin's log: a grant of what is not there gives nothing, also when it
/// is made later. Here, since a path of a server that is away hangs whoever looks.
void tell_absent(const v1::SandboxPlan& plan) {
  for (const auto& path : plan.paths())
    if (path.as_owner() && ::access(path.path().c_str(), F_OK) != 0 && errno == ENOENT)
      ::dprintf(STDERR_FILENO, "it was granted %s, which is not there\n", path.path().c_str());
}

/// Back to the host's network, where the init has left a way there.
void choose_network(const v1::SandboxPlan& plan, Steps& steps) {
  const bool own = ::fcntl(host_network_fd, F_GETFD) >= 0;
  if (own && plan.host_network() && ::setns(host_network_fd, CLONE_NEWNET) != 0)
    throw std::system_error(errno, std::generic_category(), "setns");
  if (own) ::close(host_network_fd);
  if (plan.host_network() || !steps.wants(v1::PROTECTION_NETWORK)) return;
  if (own) {
    steps.outcome.add_done(v1::PROTECTION_NETWORK);
  } else {
    steps.miss(v1::PROTECTION_NETWORK, "no network namespace can be made");
  }
}

void take_landlock(const v1::SandboxPlan& plan, const Preparation& prepared, int abi,
                   Steps& steps) {
  constexpr const char* none = "the kernel has no Landlock";
  steps.take(v1::PROTECTION_FILES, [&] {
    if (!prepared.files) throw std::runtime_error(abi == 0 ? none : prepared.why_no_files);
    prepared.files->enforce();
  });
  std::string why_not = abi == 0 ? none : "";
  try {
    restrict_ports(port_rules(plan, steps));
  } catch (const std::exception& error) {
    why_not = error.what();
  }
  const auto part = [&](v1::Protection protection, int since) {
    if (!steps.wants(protection)) return;
    if (why_not.empty() && abi >= since) {
      steps.outcome.add_done(protection);
    } else {
      steps.miss(protection, why_not.empty() ? "the kernel's Landlock is too old" : why_not);
    }
  };
  part(v1::PROTECTION_PORTS, 4);
  part(v1::PROTECTION_SCOPE, 6);
}

}  // namespace

v1::SandboxOutcome apply(const v1::SandboxPlan& plan) {
  Steps steps(plan);
  *steps.outcome.mutable_missing() = plan.missing();
  choose_network(plan, steps);
  auto& prepared = preparation();
  if (prepared.root_begun) {
    steps.take(v1::PROTECTION_ROOT, [&] {
      complete_root(root_paths(plan), plan.uid(), plan.gid(), plan.users(), plan.groups(),
                    plan.hosts_file());
    });
  } else if (steps.wants(v1::PROTECTION_ROOT)) {
    steps.miss(v1::PROTECTION_ROOT, "no mount namespace can be made");
  }
  tell_absent(plan);
  ::umask(022);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (plan.file_bytes() != 0) {
    const rlimit largest_file{plan.file_bytes(), plan.file_bytes()};
    ::setrlimit(RLIMIT_FSIZE, &largest_file);
  }

  const int abi = landlock_abi();
  steps.outcome.set_landlock_abi(static_cast<std::uint32_t>(abi));
  complete_files(plan, prepared);

  steps.take(v1::PROTECTION_NO_CAPABILITIES, [] { empty_bounding_set(); });
  if (plan.uid() != 0)
    steps.take(v1::PROTECTION_USER, [&] {
      become_user(plan.uid(), plan.gid(), {plan.more_groups().begin(), plan.more_groups().end()});
    });
  if (steps.wants(v1::PROTECTION_NO_CAPABILITIES)) give_up_capabilities();
  if (!plan.directory().empty()) {
    std::error_code ignored;  // Where it is does not matter for what it may.
    std::filesystem::current_path(plan.directory(), ignored);
  }
  steps.take(v1::PROTECTION_NO_NEW_PRIVILEGES, [] { forbid_new_privileges(); });
  if (steps.wants(v1::PROTECTION_NOT_DUMPABLE)) {
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    steps.outcome.add_done(v1::PROTECTION_NOT_DUMPABLE);
  }
  take_landlock(plan, prepared, abi, steps);
  prepared.files.reset();
  // Last: it forbids what was done above.
  steps.take(v1::PROTECTION_SYSTEM_CALLS, [&] {
    if (!prepared.allowed_calls.empty()) load_seccomp(prepared.allowed_calls);
    load_seccomp(plan.seccomp_refused());
  });
  return std::move(steps.outcome);
}

}  // namespace plugin_worker::sandbox
