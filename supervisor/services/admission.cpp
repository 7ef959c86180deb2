#include "supervisor/services/admission.h"

#include <unistd.h>

#include <algorithm>

#include "supervisor/sys/process_stat.h"

namespace supervisor::services {
namespace {

// Deeper than anything that is no attack.
constexpr int most_ancestors = 256;
constexpr int most_looks = 10;

}  // namespace

std::string Admission::refusal(int connection, const sys::PeerCredentials& peer) const {
  if (!is_known(connection, peer))
    return group_ ? "it is neither the supervisor's user nor of the socket's group"
                  : "it is not the supervisor's user";
  // Root may do as the supervisor does anyway. Of a process that our PID
  // namespace does not show no worker is an ancestor.
  if (peer.uid == 0 && ::geteuid() != 0) return {};
  if (peer.pid == 0) return {};
  const auto process = sys::peer_process(connection);
  const auto alive = sys::process_stat(peer.pid);
  if (!alive || alive->state == 'Z') return "its process has ended";
  if (is_of_worker(peer.pid)) return "it was started by a plugin";
  // Were the number another's by now, that one would have been looked at.
  if (process && sys::has_ended(process->get())) return "its process has ended";
  return {};
}

bool Admission::is_known(int connection, const sys::PeerCredentials& peer) const {
  if (peer.uid == 0 || peer.uid == ::geteuid()) return true;
  if (!group_) return false;
  if (peer.gid == *group_) return true;
  const auto groups = sys::peer_groups(connection);
  return std::find(groups.begin(), groups.end(), *group_) != groups.end();
}

bool Admission::is_of_worker(pid_t pid) const {
  for (int look = 0; look < most_looks; ++look)
    if (const auto seen = has_worker_above(pid)) return *seen;
  return true;
}

// Nothing when one of those above has ended meanwhile: what it had started has
// another parent now.
std::optional<bool> Admission::has_worker_above(pid_t pid) const {
  for (int generation = 0; generation < most_ancestors; ++generation) {
    if (generation > 0 && (pid == ::getpid() || is_init(pid))) return true;
    const auto stat = sys::process_stat(pid);
    if (!stat) return std::nullopt;
    if (stat->parent == 0) return false;
    pid = stat->parent;
  }
  return true;
}

// By what it holds open (plugin_init.cpp): the exit record of its launch.
bool Admission::is_init(pid_t pid) const {
  std::error_code none;
  const auto held =
      std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/3", none).native();
  return !none && held.starts_with(launches_.native() + "/");
}

}  // namespace supervisor::services
