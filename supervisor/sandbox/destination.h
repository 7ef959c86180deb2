// Where a plugin may connect to, as it is written in "network.outbound", and
// the addresses of networks. Values; callable from any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::sandbox {

/// An address of IPv6; those of IPv4 are ::ffff:a.b.c.d.
using Address = std::array<std::uint8_t, 16>;

/// Those addresses whose first `bits` bits are as in `address`.
struct AddressRange {
  Address address{};
  unsigned bits = 128;

  [[nodiscard]] bool contains(const AddressRange& other) const;
  friend auto operator<=>(const AddressRange&, const AddressRange&) = default;
};

/// "192.168.1.7", "192.168.1.0/24", "::1", "fd00::/8"; nothing when it is none.
std::optional<AddressRange> parse_range(std::string_view text);
/// As people write it: "192.168.1.7", without the bits.
std::string address_text(const Address& address);

struct Destination {
  std::string name;                   // Of a host; empty when it is none.
  std::optional<AddressRange> range;  // Neither: any host.
  std::uint16_t port = 0;             // 0 = any.

  [[nodiscard]] bool is_anywhere() const { return name.empty() && !range; }
};

/// "*", "443", "example.org", "example.org:443", "10.0.0.0/8:80", "[::1]:443";
/// nothing when it is none of these.
std::optional<Destination> parse_destination(std::string_view text);

/// Refused to every plugin, whatever was granted: link-local addresses, where
/// clouds tell their machines' secrets.
const std::vector<AddressRange>& forbidden_ranges();
/// Meant neither by "*" nor by a port alone: this machine, private networks, and
/// what reaches more than one host.
const std::vector<AddressRange>& private_ranges();

}  // namespace supervisor::sandbox
