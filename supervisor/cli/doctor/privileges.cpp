// What the user who asks may do, and what a supervisor that runs has kept.
#include <unistd.h>

#include "supervisor/cli/doctor/probe.h"
#include "supervisor/sys/capabilities.h"
#include "supervisor/sys/unix_socket.h"

namespace supervisor::cli::doctor {
namespace {

const std::string name = "privileges";

std::vector<Finding> own_capabilities() {
  std::vector<Finding> findings;
  const auto user = "user " + std::to_string(::geteuid());
  const auto have = sys::capabilities_of(::getpid());
  const auto& wanted = sys::supervisor_capabilities();
  if (!have || (have->effective & sys::mask_of(wanted)) == 0)
    return {
        {name, Verdict::ok,
         user + ", no capabilities: plugins run as this user, and the rest is a user namespace's"}};
  std::string missing;
  for (const auto& capability : wanted) {
    if ((have->effective >> capability.number & 1) != 0) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(capability.name);
    findings.push_back({"CAP_" + std::string(capability.name), Verdict::missing,
                        user + " does not have it", capability.without});
  }
  const auto all =
      missing.empty() ? std::string(", all that a supervisor uses") : ", all but " + missing;
  findings.insert(findings.begin(), Finding{name, Verdict::ok, user + all});
  return findings;
}

std::string names_of(sys::CapabilityMask mask) {
  std::string names;
  for (const auto& capability : sys::supervisor_capabilities()) {
    if ((mask >> capability.number & 1) == 0) continue;
    names += (names.empty() ? "" : ", ") + std::string(capability.name);
    mask &= ~(sys::CapabilityMask{1} << capability.number);
  }
  if (mask != 0) names += (names.empty() ? "" : ", ") + std::string("and others");
  return names.empty() ? "no capabilities" : names;
}

std::vector<Finding> of_supervisor(const std::filesystem::path& socket) {
  const std::string what = "supervisor's privileges";
  try {
    const auto connection = sys::connect_unix(socket);
    // Of a listening socket's peer: who called listen(2).
    const auto listener = sys::peer_credentials(connection.get());
    const auto has = sys::capabilities_of(listener.pid);
    if (!has) return {{what, Verdict::skipped, "its process cannot be seen from here"}};
    return {{what, Verdict::ok,
             "user " + std::to_string(listener.uid) + ", " + names_of(has->permitted)}};
  } catch (const std::system_error&) {
    return {{what, Verdict::skipped, "none runs at " + socket.string()}};
  }
}

}  // namespace

std::vector<Probe> privilege_probes(const Subject& subject) {
  return {{name, own_capabilities},
          {"supervisor's privileges", [socket = subject.socket] { return of_supervisor(socket); }}};
}

}  // namespace supervisor::cli::doctor
