#include "supervisor/sandbox/permissions.h"

#include <catch2/catch.hpp>

using namespace supervisor;
using namespace supervisor::sandbox;

namespace {

constexpr const char* everything = R"({
  "network": {"outbound": ["*", 443, "example.org", "example.org:8443", "[::1]:443", "::1"],
              "listen": [9192, 9193]},
  "filesystem": {"write": ["/data/exports"], "read": ["/data/logos"]},
  "exec": ["ffmpeg", "ffprobe", "self", "/opt/x/bin/tool"],
  "host": ["orm", "redis", "celery", "settings:other_plugin"],
  "devices": ["dri"], "environment": ["TZ"],
  "runtime": {"gevent": true, "python": "/opt/x/bin/python3"},
  "limits": {"memory_mb": 512, "cpus": 0.5, "processes": 64, "open_files": 1024}})";

v1::Permissions parsed(const std::string& json) {
  auto permissions = parse_permissions(json);
  INFO(json);
  REQUIRE(permissions.has_value());
  return permissions.value();
}

std::vector<std::string> missing(const std::string& asked, const std::string& granted) {
  return term_texts(not_granted(parsed(asked), parsed(granted)));
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("permissions come back from JSON as they went", "[permissions]") {
  const auto permissions = parsed(everything);
  CHECK(permissions.network().outbound(1) == "443");
  CHECK(permissions.network().listen(1) == 9193);
  CHECK(permissions.limits().cpus() == 0.5);
  CHECK(permissions.runtime().python() == "/opt/x/bin/python3");
  CHECK(parsed(permissions_json(permissions)).SerializeAsString() ==
        permissions.SerializeAsString());
  CHECK(permissions_json(parsed("")) == "{}");
  CHECK(permissions_json(parsed(R"({"exec": [], "network": {}, "devices": null})")) == "{}");
}

TEST_CASE("a mistake in permissions is told by its path", "[permissions]") {
  const std::pair<const char*, const char*> mistakes[] = {
      {"[]", "permissions must be an object"},
      {"{", "permissions must be an object"},
      {R"({"netwrok": {}})", "permissions.netwrok is not a permission there is"},
      {R"({"network": []})", "permissions.network must be an object"},
      {R"({"network": {"listen": 80}})", "permissions.network.listen must be a list"},
      {R"({"network": {"listen": [80, 0]}})", "permissions.network.listen[1] must be a port"},
      {R"({"network": {"listen": ["80"]}})", "permissions.network.listen[0] must be a whole"},
      {R"({"network": {"listen": [65536]}})", "permissions.network.listen[0] must be a port"},
      {R"({"network": {"listen": [-1]}})", "permissions.network.listen[0] must be a whole"},
      {R"({"network": {"outbound": ["a b"]}})", "permissions.network.outbound[0] must be"},
      {R"({"network": {"outbound": ["host:0"]}})", "permissions.network.outbound[0] must be"},
      {R"({"network": {"outbound": ["http://x"]}})", "permissions.network.outbound[0] must be"},
      {R"({"network": {"outbound": [""]}})", "permissions.network.outbound[0] must not be empty"},
      {R"({"network": {"outbound": ["[::g]:1"]}})", "permissions.network.outbound[0] must be"},
      {R"({"filesystem": {"write": ["data"]}})", "permissions.filesystem.write[0] must be an abs"},
      {R"({"filesystem": {"write": ["/a/../b"]}})", "permissions.filesystem.write[0] must be wri"},
      {R"({"filesystem": {"write": ["/a/"]}})", "permissions.filesystem.write[0] must be wri"},
      {R"({"filesystem": {"read": ["/"]}})", "permissions.filesystem.read[0] must be less"},
      {R"({"filesystem": {"read": ["/proc/1"]}})", "permissions.filesystem.read[0] must not be in"},
      {R"({"filesystem": {"read": ["/a\u0000b"]}})",
       "permissions.filesystem.read[0] must not hold"},
      {R"({"exec": ["../sh"]})", "permissions.exec[0] must be an absolute path"},
      {R"({"exec": "sh"})", "permissions.exec must be a list"},
      {R"({"exec": [3]})", "permissions.exec[0] must be text"},
      {R"({"host": ["root"]})", "permissions.host[0] must be \"orm\""},
      {R"({"host": ["settings:"]})", "permissions.host[0] must be \"orm\""},
      {R"({"devices": ["sda"]})", "permissions.devices[0] must be \"dri\""},
      {R"({"environment": ["A=B"]})", "permissions.environment[0] must be the name"},
      {R"({"runtime": {"gevent": "yes"}})", "permissions.runtime.gevent must be true or false"},
      {R"({"runtime": {"python": "python3"}})", "permissions.runtime.python must be an absolute"},
      {R"({"limits": {"memory_mb": 0}})", "permissions.limits.memory_mb must be at least 32"},
      {R"({"limits": {"cpus": "1"}})", "permissions.limits.cpus must be a number"},
      {R"({"limits": {"processes": 1.5}})", "permissions.limits.processes must be a whole"},
  };
  for (const auto& [json, message] : mistakes) {
    CAPTURE(json);
    const auto refused = parse_permissions(json);
    REQUIRE(refused.has_error());
    CHECK(refused.error().reason() == v1::REASON_PERMISSIONS_INVALID);
    CHECK(refused.error().message().starts_with(message));
  }
}

TEST_CASE("a list of permissions is bounded", "[permissions]") {
  std::string json = R"({"exec": ["a")";
  for (int i = 0; i < 300; ++i) json += ",\"a\"";
  const auto refused = parse_permissions(json + "]}");
  REQUIRE(refused.has_error());
  CHECK(refused.error().message().find("256 entries") != std::string::npos);
}

TEST_CASE("limits that nobody can have been granted are compared all the same", "[permissions]") {
  v1::Permissions odd;
  odd.mutable_limits()->set_cpus(5e-324);  // As a launch record that was damaged may have it.
  CHECK(is_empty(not_granted(odd, odd)));
  v1::Permissions other;
  other.mutable_limits()->set_cpus(1);
  CHECK(is_empty(not_granted(odd, other)));
  CHECK_FALSE(is_empty(not_granted(other, odd)));
}

TEST_CASE("permissions that a worker cannot be told are refused", "[permissions]") {
  const auto with_entries = [](int count) {
    std::string list;
    for (int at = 0; at < count; ++at)
      list += (at > 0 ? ", " : "") + ('"' + std::string(199, 'A') + std::to_string(100 + at) + '"');
    return parse_permissions(R"({"environment": [)" + list + "]}");
  };
  CHECK(with_entries(75).has_value());
  const auto refused = with_entries(85);
  REQUIRE(refused.has_error());
  CHECK(refused.error().message() == "permissions must be shorter: 16384 bytes at most.");
}

TEST_CASE("permissions are single terms, but for the runtime", "[permissions]") {
  const auto list = term_texts(parsed(everything));
  CHECK(list.size() == 24);
  CHECK(list.front() == "network.outbound=*");
  CHECK(list.back() == "limits.open_files=1024");
  for (const auto& text : list) CHECK_FALSE(text.starts_with("runtime"));
  CHECK(is_empty(parsed(R"({"runtime": {"gevent": true}})")));
  CHECK_FALSE(is_empty(parsed(R"({"exec": ["self"]})")));
}

TEST_CASE("terms are added, once each, and limits replaced", "[permissions]") {
  const auto granted =
      with_terms(parsed(R"({"limits": {"memory_mb": 64}})"),
                 {"network.listen=9192", "network.listen=9192", "filesystem.write=/data/x",
                  "limits.memory_mb=512", "network.outbound=443", "limits.cpus=1.5"});
  REQUIRE(granted.has_value());
  CHECK(term_texts(granted.value()) == Texts{"network.outbound=443", "network.listen=9192",
                                             "filesystem.write=/data/x", "limits.memory_mb=512",
                                             "limits.cpus=1.5"});
}

TEST_CASE("a term that makes no sense is refused", "[permissions]") {
  for (const auto* text : {"network.listen", "network.listen=x", "network.listen=0", "networks=1",
                           "=", "filesystem.write=relative", "limits.memory_mb=\"1\"",
                           "runtime.gevent=true", "network=1", "host=x"}) {
    CAPTURE(text);
    const auto refused = with_terms({}, {text});
    REQUIRE(refused.has_error());
    CHECK(refused.error().reason() == v1::REASON_INVALID_REQUEST);
  }
}

TEST_CASE("terms are taken away singly or by name", "[permissions]") {
  const auto before = parsed(R"({"network": {"listen": [1, 2]}, "exec": ["self", "ffmpeg"],
                                 "limits": {"cpus": 2}})");
  CHECK(term_texts(without_terms(before, {"network.listen=1", "exec"}).value()) ==
        Texts{"network.listen=2", "limits.cpus=2"});
  CHECK(term_texts(without_terms(before, {"limits.cpus"}).value()).size() == 4);
  CHECK(without_terms(before, {"network.listen=3"}).has_error());
  CHECK(without_terms(before, {"devices"}).has_error());
}

TEST_CASE("what is asked beyond what is granted is named", "[permissions]") {
  CHECK(missing(everything, everything).empty());
  CHECK(missing("", everything).empty());
  CHECK(missing(everything, "").size() == 24);
  CHECK(missing(R"({"network": {"listen": [1, 2]}})", R"({"network": {"listen": [1]}})") ==
        Texts{"network.listen=2"});
  CHECK(missing(R"({"runtime": {"gevent": true}})", "").empty());
}

TEST_CASE("a wider grant covers what is asked", "[permissions]") {
  const auto network = [](const char* list) {
    return std::string(R"({"network": {"outbound": [)") + list + "]}}";
  };
  CHECK(missing(network(R"("a.org:443", "b.org", 80)"), network(R"("*")")).empty());
  CHECK(missing(network(R"("a.org:443")"), network("443")).empty());
  CHECK(missing(network(R"("a.org:443")"), network(R"("a.org")")).empty());
  CHECK(missing(network(R"("[::1]:443")"), network(R"("::1")")).empty());
  CHECK(missing(network(R"("a.org")"), network("443")).size() == 1);
  CHECK(missing(network(R"("*")"), network(R"(443, "a.org")")).size() == 1);
  CHECK(missing(network(R"("b.a.org")"), network(R"("a.org")")).size() == 1);

  const auto files = [](const char* kind, const char* path) {
    return std::string(R"({"filesystem": {")") + kind + R"(": [")" + path + "\"]}}";
  };
  CHECK(missing(files("write", "/data/a"), files("write", "/data")).empty());
  CHECK(missing(files("read", "/data/a"), files("write", "/data")).empty());
  CHECK(missing(files("write", "/data"), files("read", "/data")).size() == 1);
  CHECK(missing(files("write", "/database"), files("write", "/data")).size() == 1);
  CHECK(missing(files("write", "/data"), files("write", "/data/a")).size() == 1);

  CHECK(missing(R"({"limits": {"memory_mb": 256}})", R"({"limits": {"memory_mb": 512}})").empty());
  CHECK(missing(R"({"limits": {"memory_mb": 513}})", R"({"limits": {"memory_mb": 512}})").size() ==
        1);
}

TEST_CASE("what is said of a mistake is UTF-8, wherever it is cut", "[permissions]") {
  // 63 bytes, and then one of two.
  const auto name = std::string(63, 'a') + "\xC3\xA9 and more";
  const auto refused = parse_permissions("{\"" + name + "\": 1}");
  REQUIRE(refused.has_error());
  Failure sent;
  CHECK(sent.ParseFromString(refused.error().SerializeAsString()));
  const auto unknown = with_terms({}, {name + "=1"});
  REQUIRE(unknown.has_error());
  CHECK(sent.ParseFromString(unknown.error().SerializeAsString()));
}

TEST_CASE("processors are counted alike, however they are written down and read", "[permissions]") {
  for (const auto* cpus : {"0.1", "0.3", "0.7000000000000001", "1.1", "2.675", "4095.999999"}) {
    const auto asked = parsed(std::string(R"({"limits": {"cpus": )") + cpus + "}}");
    const auto stored = parsed(permissions_json(asked));
    INFO(cpus);
    CHECK(is_empty(not_granted(asked, stored)));
    CHECK(is_empty(not_granted(stored, asked)));
    CHECK(is_empty(not_granted(asked, united({}, asked))));
  }
}

TEST_CASE("a number of processors that means nothing is a mistake, and stops nobody",
          "[permissions]") {
  for (const auto* cpus : {"1e-310", "5e-324", "0.001", "-1", "0", "1e308", "5000"}) {
    const auto refused = parse_permissions(std::string(R"({"limits": {"cpus": )") + cpus + "}}");
    INFO(cpus);
    REQUIRE(refused.has_error());
    CHECK(refused.error().message().starts_with("permissions.limits.cpus must be a number"));
  }
}
