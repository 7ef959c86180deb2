#include "supervisor/sandbox/network_rules.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>

namespace supervisor::sandbox {
namespace {

constexpr std::uint16_t name_service_port = 53;
constexpr AddressRange anywhere{{}, 0};

bool lies_in(const AddressRange& range, const std::vector<AddressRange>& list) {
  return std::any_of(list.begin(), list.end(),
                     [&range](const AddressRange& other) { return other.contains(range); });
}

/// Whoever connects to no address at all comes to loopback, too.
bool is_this_machine(const Address& address, const std::vector<Address>& own) {
  static const std::vector<AddressRange> loopback{*parse_range("127.0.0.0/8"), *parse_range("::1"),
                                                  *parse_range("0.0.0.0/8"), *parse_range("::")};
  return lies_in({address}, loopback) || std::find(own.begin(), own.end(), address) != own.end();
}

/// Whoever has a name in the world's name service chooses what it stands for:
/// this machine is meant only by a name that is of this machine.
bool may_mean_this_machine(const std::string& name) {
  return name.find('.') == std::string::npos || name.ends_with(".localhost");
}

/// Any host, but for those that must be named.
void allow_anywhere(NetworkRules& rules, std::uint16_t port, const std::vector<Address>& own) {
  rules[{false, port, anywhere}] = true;
  for (const auto* list : {&private_ranges(), &forbidden_ranges()})
    for (const auto& range : *list) rules[{false, port, range}] = false;
  for (const auto& address : own) rules[{false, port, {address}}] = false;
}

void allow_range(NetworkRules& rules, std::uint16_t port, const AddressRange& range) {
  if (lies_in(range, forbidden_ranges())) return;
  rules[{false, port, range}] = true;
  for (const auto& forbidden : forbidden_ranges())
    if (range.contains(forbidden)) rules[{false, port, forbidden}] = false;
}

std::vector<Destination> destinations(const v1::Permissions::Network& granted) {
  std::vector<Destination> list;
  for (const auto& text : granted.outbound())
    if (auto destination = parse_destination(text)) list.push_back(std::move(*destination));
  return list;
}

}  // namespace

NetworkRules network_rules(const v1::Permissions::Network& granted,
                           const NetworkSurroundings& surroundings) {
  NetworkRules rules;
  const auto list = destinations(granted);
  for (const auto& destination : list)
    if (destination.is_anywhere()) allow_anywhere(rules, destination.port, surroundings.own);
  // After those, which they are exceptions from.
  for (const auto& destination : list) {
    if (destination.range) allow_range(rules, destination.port, *destination.range);
    const auto known = surroundings.names.find(destination.name);
    if (destination.name.empty() || known == surroundings.names.end()) continue;
    for (const auto& address : known->second) {
      if (!is_this_machine(address, surroundings.own) || may_mean_this_machine(destination.name))
        allow_range(rules, destination.port, {address});
    }
  }
  for (const auto& resolver : surroundings.resolvers)
    rules[{false, name_service_port, {resolver}}] = true;
  for (const auto port : granted.listen())
    rules[{true, static_cast<std::uint16_t>(port), anywhere}] = true;
  return rules;
}

std::vector<std::string> granted_names(const v1::Permissions::Network& granted) {
  std::vector<std::string> names;
  for (auto& destination : destinations(granted))
    if (!destination.name.empty()) names.push_back(std::move(destination.name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool needs_lookups(const v1::Permissions::Network& granted) {
  const auto list = destinations(granted);
  return std::any_of(list.begin(), list.end(),
                     [](const Destination& destination) { return destination.is_anywhere(); });
}

bool is_without_names(const v1::Permissions::Network& granted) {
  const auto list = destinations(granted);
  return std::all_of(list.begin(), list.end(), [](const Destination& destination) {
    return destination.range && destination.port != 0;
  });
}

std::vector<Address> configured_resolvers(const std::string& resolv_conf) {
  std::vector<Address> found;
  std::istringstream lines(resolv_conf);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string keyword;
    std::string server;
    words >> keyword >> server;
    if (keyword != "nameserver") continue;
    if (const auto range = parse_range(server.substr(0, server.find('%'))))
      found.push_back(range->address);
  }
  if (found.empty()) found.push_back(parse_range("127.0.0.1")->address);
  return found;
}

std::vector<Address> own_addresses() {
  std::vector<Address> found;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return found;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, ::freeifaddrs);
  for (const auto* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    Address address{};
    if (one->ifa_addr->sa_family == AF_INET) {
      sockaddr_in ipv4{};
      std::memcpy(&ipv4, one->ifa_addr, sizeof ipv4);
      address[10] = address[11] = 0xff;
      std::memcpy(address.data() + 12, &ipv4.sin_addr, 4);
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 ipv6{};
      std::memcpy(&ipv6, one->ifa_addr, sizeof ipv6);
      std::memcpy(address.data(), &ipv6.sin6_addr, address.size());
    } else {
      continue;
    }
    found.push_back(address);
  }
  return found;
}

std::string hosts_file(const std::string& base, const KnownNames& names) {
  std::string text = base;
  if (!text.empty() && !text.ends_with('\n')) text += '\n';
  for (const auto& [name, addresses] : names)
    for (const auto& address : addresses) text += address_text(address) + " " + name + "\n";
  return text;
}

}  // namespace supervisor::sandbox
