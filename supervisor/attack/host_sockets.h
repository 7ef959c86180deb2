// The sockets of other programs that a plugin should not reach.
#pragma once

#include <string>
#include <vector>

namespace supervisor::attack {

/// The paths of those that are listened on and known by their names: container
/// engines, D-Bus, PostgreSQL. A few of each.
std::vector<std::string> known_host_sockets();

}  // namespace supervisor::attack
