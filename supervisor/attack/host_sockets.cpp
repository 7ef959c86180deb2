#include "supervisor/attack/host_sockets.h"

#include <algorithm>
#include <fstream>
#include <set>

namespace supervisor::attack {
namespace {

constexpr const char* known[] = {
    "docker.sock", "containerd.sock", "podman.sock", "system_bus_socket", "dbus", ".s.PGSQL."};
constexpr std::size_t enough = 16;

}  // namespace

// proc(5), net/unix: "0000: 00000002 00000000 00010000 0001 01 123 /run/x", of
// which the fourth is 00010000 for those that are listened on.
std::vector<std::string> known_host_sockets() {
  std::set<std::string> found;
  std::ifstream table("/proc/self/net/unix");
  for (std::string line; std::getline(table, line) && found.size() < enough;) {
    const auto slash = line.find('/');
    if (slash == std::string::npos || line.find(" 00010000 ") == std::string::npos) continue;
    auto path = line.substr(slash);
    if (std::any_of(std::begin(known), std::end(known),
                    [&path](const char* name) { return path.find(name) != std::string::npos; }))
      found.insert(std::move(path));
  }
  return {found.begin(), found.end()};
}

}  // namespace supervisor::attack
