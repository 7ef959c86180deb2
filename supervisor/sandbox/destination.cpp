#include "supervisor/sandbox/destination.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace supervisor::sandbox {
namespace {

constexpr std::size_t longest_host = 253;  // RFC 1035, as text.
constexpr std::size_t longest_label = 63;
constexpr unsigned bits_before_ipv4 = 96;

template <typename Number>
bool parse_number(std::string_view text, Number least, Number most, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= least &&
         number <= most;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > longest_host) return false;
  while (!text.empty()) {
    const auto label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > longest_label || label.front() == '-' ||
        label.back() == '-' || !std::all_of(label.begin(), label.end(), is_name_character))
      return false;
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  return true;
}

bool set_host(Destination& destination, std::string_view host) {
  destination.range = parse_range(host);
  if (destination.range) return true;
  if (!is_host_name(host)) return false;
  destination.name = host;
  return true;
}

std::vector<AddressRange> ranges(std::initializer_list<std::string_view> texts) {
  std::vector<AddressRange> list;
  for (const auto text : texts) list.push_back(parse_range(text).value());
  return list;
}

}  // namespace

bool AddressRange::contains(const AddressRange& other) const {
  if (other.bits < bits) return false;
  const unsigned whole = bits / 8;
  if (!std::equal(address.begin(), address.begin() + whole, other.address.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || ((address[whole] ^ other.address[whole]) >> (8 - rest)) == 0;
}

std::optional<AddressRange> parse_range(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const std::string host(text.substr(0, slash));
  AddressRange range;
  unsigned most = 128;
  if (::inet_pton(AF_INET, host.c_str(), range.address.data() + 12) == 1) {
    range.address[10] = range.address[11] = 0xff;
    most = 32;
  } else if (::inet_pton(AF_INET6, host.c_str(), range.address.data()) != 1) {
    return std::nullopt;
  }
  unsigned bits = most;
  if (slash < text.size() && !parse_number(text.substr(slash + 1), 0U, most, bits))
    return std::nullopt;
  range.bits = most == 32 ? bits + bits_before_ipv4 : bits;
  for (unsigned bit = range.bits; bit < 128; ++bit)
    range.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  return range;
}

std::string address_text(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const bool ipv4 =
      AddressRange{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}.contains({address});
  ipv4 ? ::inet_ntop(AF_INET, address.data() + 12, text, sizeof text)
       : ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
  return text;
}

std::optional<Destination> parse_destination(std::string_view text) {
  Destination destination;
  const auto is_port = [&destination](std::string_view word) {
    return parse_number<std::uint16_t>(word, 1, 65535, destination.port);
  };
  if (text == "*" || is_port(text)) return destination;
  destination.port = 0;
  // Of IPv6, only what stands in brackets can have a port.
  const auto colon = text.rfind(':');
  const bool plain_ipv6 =
      colon != std::string_view::npos && text.find(':') != colon && !text.starts_with('[');
  auto host = text;
  if (colon != std::string_view::npos && !plain_ipv6) {
    if (!is_port(text.substr(colon + 1))) return std::nullopt;
    host = text.substr(0, colon);
    if (host.starts_with('[')) {
      if (!host.ends_with(']')) return std::nullopt;
      host = host.substr(1, host.size() - 2);
      if (host.find(':') == std::string_view::npos) return std::nullopt;
    }
  }
  if (!set_host(destination, host)) return std::nullopt;
  return destination;
}

const std::vector<AddressRange>& forbidden_ranges() {
  // The last are Amazon's, and Alibaba's in a range of carriers.
  static const auto list =
      ranges({"169.254.0.0/16", "fe80::/10", "fd00:ec2::254", "100.100.100.200"});
  return list;
}

const std::vector<AddressRange>& private_ranges() {
  static const auto list =
      ranges({"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12",
              "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3",
              // ::, ::1, addresses of IPv4 that are written the old way.
              "::/96", "fc00::/7", "fec0::/10", "ff00::/8",
              // Addresses of IPv4 behind a translator, or in a tunnel: which ones
              // the rules for IPv4 do not see (RFC 6052, 8215, 3056).
              "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"});
  return list;
}

}  // namespace supervisor::sandbox
