// Makes the plan of one worker's sandbox out of what its plugin may do.
//
// One per supervisor, on the core thread. Reads the file system (what programs
// are, which devices there are), and compiles each filter of system calls once.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "plugin_supervisor/v1/sandbox.pb.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sandbox/seccomp_filter.h"
#include "supervisor/sys/failure.h"

namespace supervisor::sandbox {

/// What is planned for, beside its permissions.
struct SandboxSubject {
  std::filesystem::path code;    // Its directory, to be read.
  std::filesystem::path data;    // Its data directory, to be written.
  std::filesystem::path launch;  // Directory of the link's socket.
  std::filesystem::path interpreter;
  uid_t user = 0;                    // And group; 0 = it stays who it is.
  bool executes = false;             // Its interpreter is executed in the sandbox.
  bool filtered = false;             // A NetworkFilter tells its hosts apart.
  std::filesystem::path hosts_file;  // To be its /etc/hosts; may be empty.
  std::vector<v1::Protection> made;  // The namespaces that its init is in.
};

/// Where no filter tells hosts and ports apart, UDP is left to those who have to
/// look names up.
bool allows_datagrams(const v1::Permissions& permissions, const SandboxSubject& subject);

class SandboxPlanner {
 public:
  /// INTERNAL when a filter cannot be compiled.
  Outcome<v1::SandboxPlan> plan(const v1::Permissions& permissions, const ProtectionModes& modes,
                                const SandboxSubject& subject);

 private:
  std::map<SeccompPolicy, std::string> compiled_;
};

/// What all workers of a profile see of the host's files: see root.h of the
/// worker.
std::vector<std::string> shared_paths(const std::filesystem::path& interpreter,
                                      const std::vector<std::filesystem::path>& profile);

}  // namespace supervisor::sandbox
