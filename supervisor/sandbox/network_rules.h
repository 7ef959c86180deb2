// What a worker may reach, as a table of addresses and ports. Pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "supervisor/sandbox/destination.h"

namespace supervisor::sandbox {

namespace v1 = plugin_supervisor::v1;

/// What a rule is about. Of the rules of a port, and of those of any port, the
/// one with the longest range counts; a use is allowed when either allows it.
struct NetworkUse {
  bool listen = false;     // Else connecting and sending.
  std::uint16_t port = 0;  // 0 = any.
  AddressRange range;      // Of listening it has no bits.

  friend auto operator<=>(const NetworkUse&, const NetworkUse&) = default;
};

/// Whether it is allowed. What no rule is about is refused.
using NetworkRules = std::map<NetworkUse, bool>;

/// What the names that were granted stand for.
using KnownNames = std::map<std::string, std::vector<Address>>;

struct NetworkSurroundings {
  KnownNames names;
  std::vector<Address> resolvers;  // That it may ask for names.
  std::vector<Address> own;        // This machine's addresses.
};

NetworkRules network_rules(const v1::Permissions::Network& granted,
                           const NetworkSurroundings& surroundings);

/// The names among what was granted.
std::vector<std::string> granted_names(const v1::Permissions::Network& granted);
/// Names that were not granted may have to be looked up: for a port of any host.
bool needs_lookups(const v1::Permissions::Network& granted);
/// Every destination is an address with a port: nothing needs to be looked up.
bool is_without_names(const v1::Permissions::Network& granted);

/// Of /etc/resolv.conf; this machine when it names none (resolv.conf(5)).
std::vector<Address> configured_resolvers(const std::string& resolv_conf);
/// Of all interfaces.
std::vector<Address> own_addresses();

/// /etc/hosts of a worker that may look nothing up: `base` with the names.
std::string hosts_file(const std::string& base, const KnownNames& names);

}  // namespace supervisor::sandbox
