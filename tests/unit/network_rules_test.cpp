#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "supervisor/sandbox/destination.h"
#include "supervisor/sandbox/network_rules.h"

using namespace supervisor::sandbox;
namespace v1 = plugin_supervisor::v1;

namespace {

v1::Permissions::Network granted(const std::vector<std::string>& outbound,
                                 const std::vector<std::uint32_t>& listen = {}) {
  v1::Permissions::Network network;
  for (const auto& one : outbound) network.add_outbound(one);
  for (const auto port : listen) network.add_listen(port);
  return network;
}

Address address(const std::string& text) { return parse_range(text).value().address; }

/// As the kernel looks it up: the longest range of the port, and of any port.
bool allows(const NetworkRules& rules, const std::string& host, std::uint16_t port,
            bool listen = false) {
  const AddressRange wanted{address(host)};
  for (const std::uint16_t table : {port, std::uint16_t{0}}) {
    const bool* found = nullptr;
    unsigned longest = 0;
    for (const auto& [use, allowed] : rules) {
      if (use.listen != listen || use.port != table || !use.range.contains(wanted)) continue;
      if (found != nullptr && use.range.bits < longest) continue;
      found = &allowed;
      longest = use.range.bits;
    }
    if (found != nullptr && *found) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a destination is a host, an address or a network, with a port or without") {
  CHECK(parse_destination("*")->is_anywhere());
  CHECK(parse_destination("443")->port == 443);
  CHECK(parse_destination("example.org:443")->name == "example.org");
  CHECK(parse_destination("example.org:443")->port == 443);
  CHECK(parse_destination("::1")->range->address == address("::1"));
  CHECK(parse_destination("[::1]:443")->port == 443);
  CHECK(parse_destination("10.0.0.0/8")->range->bits == 104);
  CHECK(parse_destination("10.0.0.0/8:80")->port == 80);
  CHECK(parse_destination("[fd00::/8]:80")->range->bits == 8);
  for (const auto* wrong : {"", "a b", "host:0", "http://x", "[::g]:1", "[::1]", "10.0.0.0/33",
                            "10.0.0.0/", "[host]:1", "::1/129"})
    CHECK_FALSE(parse_destination(wrong));
}

TEST_CASE("a range holds those that begin with it") {
  const auto range = parse_range("172.16.0.0/12").value();
  CHECK(range.contains({address("172.31.255.255")}));
  CHECK_FALSE(range.contains({address("172.32.0.0")}));
  CHECK(range.contains(parse_range("172.20.0.0/16").value()));
  CHECK_FALSE(range.contains(parse_range("172.0.0.0/8").value()));
  CHECK(parse_range("10.1.2.3/8")->address == address("10.0.0.0"));
  CHECK(address_text(address("10.1.2.3")) == "10.1.2.3");
  CHECK(address_text(address("fd00::1")) == "fd00::1");
}

TEST_CASE("nothing granted is nothing allowed") { CHECK(network_rules({}, {}).empty()); }

TEST_CASE("an address is allowed by its port, or by any") {
  const auto rules = network_rules(granted({"192.0.2.1:80", "192.0.2.2"}, {9192}), {});
  CHECK(allows(rules, "192.0.2.1", 80));
  CHECK_FALSE(allows(rules, "192.0.2.1", 81));
  CHECK(allows(rules, "192.0.2.2", 81));
  CHECK_FALSE(allows(rules, "192.0.2.3", 80));
  CHECK(allows(rules, "0.0.0.0", 9192, true));
  CHECK_FALSE(allows(rules, "0.0.0.0", 80, true));
}

TEST_CASE("anywhere leaves out this machine, private networks and link-local addresses") {
  NetworkSurroundings around;
  around.own = {address("198.51.100.7")};
  for (const auto* grant : {"*", "443"}) {
    const auto rules = network_rules(granted({grant}), around);
    for (const auto* open : {"203.0.113.1", "8.8.8.8", "2001:db8::1"})
      CHECK(allows(rules, open, 443));
    for (const auto* closed :
         {"127.0.0.1", "0.0.0.0", "10.1.1.1", "172.16.0.1", "192.168.0.1", "169.254.169.254",
          "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fd00::1", "fe80::1",
          "ff02::1", "198.51.100.7", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:a00:1::1"})
      CHECK_FALSE(allows(rules, closed, 443));
  }
  CHECK_FALSE(allows(network_rules(granted({"443"}), around), "8.8.8.8", 444));
}

TEST_CASE("what is named is an exception, whichever port either is of") {
  const auto rules = network_rules(granted({"443", "10.1.1.1", "*", "10.2.0.0/16:80"}), {});
  CHECK(allows(rules, "10.1.1.1", 443));
  CHECK(allows(rules, "10.1.1.1", 80));
  CHECK(allows(rules, "10.2.3.4", 80));
  CHECK_FALSE(allows(rules, "10.2.3.4", 443));
}

TEST_CASE("link-local addresses cannot be granted") {
  const auto rules =
      network_rules(granted({"169.254.169.254:80", "169.0.0.0/8", "fe80::1", "0.0.0.0/0"}), {});
  CHECK_FALSE(allows(rules, "169.254.169.254", 80));
  CHECK_FALSE(allows(rules, "fe80::1", 80));
  CHECK(allows(rules, "169.1.1.1", 80));
}

TEST_CASE(
    "a name stands for its addresses, and not for this machine when the world answers for it") {
  NetworkSurroundings around;
  around.own = {address("192.0.2.7")};
  const std::vector<std::string> of_this_machine{"127.0.0.1", "0.0.0.0", "0.1.2.3",
                                                 "::1",       "::",      "192.0.2.7"};
  around.names["example.org"] = {address("203.0.113.1"), address("169.254.169.254"),
                                 address("10.0.0.1")};
  for (const auto& own : of_this_machine) around.names["example.org"].push_back(address(own));
  around.names["localhost"] = {address("127.0.0.2")};
  const auto rules = network_rules(granted({"example.org:443", "localhost:80", "unknown"}), around);
  CHECK(allows(rules, "203.0.113.1", 443));
  CHECK(allows(rules, "10.0.0.1", 443));
  for (const auto& own : of_this_machine) CHECK_FALSE(allows(rules, own, 443));
  CHECK_FALSE(allows(rules, "169.254.169.254", 443));
  CHECK(allows(rules, "127.0.0.2", 80));
  CHECK_FALSE(allows(rules, "127.0.0.2", 443));
}

TEST_CASE("name servers are reached by their port alone") {
  NetworkSurroundings around;
  around.resolvers =
      configured_resolvers("# comment\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\n");
  REQUIRE(around.resolvers.size() == 2);
  const auto rules = network_rules(granted({"443"}), around);
  CHECK(allows(rules, "10.0.0.53", 53));
  CHECK(allows(rules, "fe80::1", 53));
  CHECK_FALSE(allows(rules, "10.0.0.53", 443));
  CHECK(configured_resolvers("").front() == address("127.0.0.1"));
}

TEST_CASE("what needs names is told from what does not") {
  CHECK(granted_names(granted({"b:1", "a", "10.0.0.1:1", "b:2", "*"})) ==
        std::vector<std::string>{"a", "b"});
  CHECK(needs_lookups(granted({"a", "443"})));
  CHECK_FALSE(needs_lookups(granted({"a", "10.0.0.1"})));
  CHECK(is_without_names(granted({"10.0.0.1:1"}, {80})));
  CHECK_FALSE(is_without_names(granted({"10.0.0.1"})));
  CHECK_FALSE(is_without_names(granted({"a:1"})));
}

TEST_CASE("a file of hosts holds those of the host, and the names") {
  CHECK(hosts_file("127.0.0.1 localhost",
                   {{"a.example", {address("203.0.113.1"), address("::2")}}}) ==
        "127.0.0.1 localhost\n203.0.113.1 a.example\n::2 a.example\n");
}
