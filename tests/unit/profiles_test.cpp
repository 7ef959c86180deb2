#include <catch2/catch.hpp>

#include "supervisor/lifecycle/runtime_choice.h"
#include "supervisor/spawner/profile_file.h"

using namespace supervisor;
using spawner::parse_profiles;
using spawner::RuntimeProfile;

namespace {

RuntimeProfile built_in() {
  RuntimeProfile profile;
  profile.shim_dir = "/shim";
  profile.environment = {"PATH=/bin", "LANG=C"};
  return profile;
}

std::string why_not(std::string_view text) {
  const auto parsed = parse_profiles(text, built_in());
  return parsed.has_error() ? parsed.error().message() : std::string();
}

}  // namespace

TEST_CASE("A profile says what differs from standalone", "[profiles]") {
  const auto parsed = parse_profiles(R"(
[profile.host]
python = "/venv/bin/python"
path = ["/app"]
preload = ["yaml"]
setup = ["django:setup"]
environment = { LANG = "de", DJANGO_SETTINGS_MODULE = "host.settings" }
)",
                                     built_in());
  REQUIRE(parsed.has_value());
  REQUIRE(parsed.value().size() == 2);
  CHECK(parsed.value().at("standalone") == built_in());
  const auto& host = parsed.value().at("host");
  CHECK(host.python == "/venv/bin/python");
  CHECK(host.shim_dir == "/shim");
  CHECK_FALSE(host.compat);  // The host's modules are the host's.
  CHECK(host.environment ==
        std::vector<std::string>{"PATH=/bin", "DJANGO_SETTINGS_MODULE=host.settings", "LANG=de"});
  CHECK(interpreter_options(host) ==
        std::vector<std::string>{"--path", "/app", "--preload", "yaml", "--setup", "django:setup"});
}

TEST_CASE("The built-in profile can be changed and keeps its stand-ins", "[profiles]") {
  const auto parsed = parse_profiles("[profile.standalone]\npreload = ['yaml']\n", built_in());
  REQUIRE(parsed.has_value());
  CHECK(parsed.value().at("standalone").compat);
  CHECK(parsed.value().at("standalone").preloads == std::vector<std::string>{"yaml"});
  CHECK(parse_profiles("", built_in()).value().size() == 1);
}

TEST_CASE("A mistake in the file of profiles names its line", "[profiles]") {
  CHECK(why_not("[profile.x]\npyton = '/a'") ==
        "line 2: a profile has no member 'pyton'; there are python, path, preload, setup, "
        "environment, permissions, sandbox, compat and gevent");
  CHECK(why_not("[profile.x]\npython = 'bin/python'") == "line 2: python must be an absolute path");
  CHECK(why_not("[profile.x]\npath = ['app']") ==
        "line 2: each entry of path must be an absolute path");
  CHECK(why_not("[profile.x]\n\ncompat = 1").starts_with("line 3: compat must be true or false"));
  CHECK(why_not("[profile.x]\nenvironment = { 'A=B' = 'c' }").find("cannot be the name") !=
        std::string::npos);
  CHECK(why_not("[profile.x]\nsetup = 'a:b'").find("array of strings") != std::string::npos);
  CHECK(why_not("[profile.'X Y']").find("no name of a profile") != std::string::npos);
  CHECK(why_not("[x]").find("[profile.NAME]") != std::string::npos);
  CHECK(why_not("profile = 5").find("[profile.NAME]") != std::string::npos);
  CHECK(why_not("[profile.x\n").starts_with("line 1: "));
  CHECK(why_not("[profile.x]\npath = [ }\n").starts_with("line 2: "));
  CHECK(why_not("[profile.x]\n\u0307path = []\n").starts_with("line 2: "));
}

TEST_CASE("An admin's profile wins over the plugin's own", "[profiles]") {
  using lifecycle::runtime_choice;
  v1::Permissions asks;
  asks.mutable_runtime()->set_profile("host");
  asks.mutable_runtime()->set_python("/x/bin/python3");
  asks.mutable_runtime()->set_gevent(true);
  CHECK(runtime_choice(asks, "").profile == "host");
  CHECK(runtime_choice(asks, "science").profile == "science");
  CHECK(runtime_choice(asks, "").python == "/x/bin/python3");
  CHECK(runtime_choice(asks, "").gevent);
  CHECK(runtime_choice({}, "").profile.empty());
  CHECK(runtime_choice({}, "").python.empty());
}

TEST_CASE("A profile says what plugins may do that ask for nothing", "[profiles]") {
  const auto profiles = parse_profiles(R"(
    [profile.host.permissions]
    exec = ["ffmpeg"]
    network = { outbound = ["*"], listen = [9192] })",
                                       built_in());
  REQUIRE(profiles.has_value());
  CHECK(profiles.value().at("host").permissions_json ==
        R"({"network":{"outbound":["*"],"listen":[9192]},"exec":["ffmpeg"]})");
  CHECK(profiles.value().at("standalone").permissions_json == "{}");
  const auto wrong = parse_profiles("[profile.x.permissions]\nexec = [3]", built_in());
  REQUIRE(wrong.has_error());
  CHECK(wrong.error().message().find("permissions.exec[0] must be text") != std::string::npos);
}
