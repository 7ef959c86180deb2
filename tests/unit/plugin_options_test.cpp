#include "supervisor/sys/plugin_options.h"

#include <catch2/catch.hpp>

using namespace supervisor;
using sys::options_failure;
using sys::plugin_options_json;
using sys::with_changes;

TEST_CASE("options come back from JSON as they went", "[options]") {
  v1::PluginOptions options;
  options.set_memory_bytes(std::uint64_t{1} << 49);
  options.set_cpus(0.5);
  options.set_processes(0);
  options.set_profile("dispatcharr");
  const auto back = with_changes({}, plugin_options_json(options));
  REQUIRE(back.has_value());
  CHECK(back->SerializeAsString() == options.SerializeAsString());
  CHECK(plugin_options_json({}) == "{}");
  CHECK(plugin_options_json({}, true).find("\"memory_bytes\":null") != std::string::npos);
}

TEST_CASE("a number may be written as protobuf writes large ones", "[options]") {
  const auto options = with_changes({}, R"({"memory_bytes": "1099511627776", "open_files": 64.0})");
  REQUIRE(options.has_value());
  CHECK(options->memory_bytes() == std::uint64_t{1} << 40);
  CHECK(options->open_files() == 64);
}

TEST_CASE("a change leaves other options alone and null takes the default again", "[options]") {
  v1::PluginOptions before;
  before.set_cpus(2);
  before.set_processes(64);
  const auto after = with_changes(before, R"({"cpus": null, "open_files": 100})");
  REQUIRE(after.has_value());
  CHECK_FALSE(after->has_cpus());
  CHECK(after->processes() == 64);
  CHECK(after->open_files() == 100);
}

TEST_CASE("an option that is none, or does not fit, is refused by its name", "[options]") {
  const std::pair<const char*, const char*> mistakes[] = {
      {R"({"memory": 1})", "'memory'"},
      {R"({"memory_bytes": -1})", "'memory_bytes'"},
      {R"({"memory_bytes": 1e300})", "'memory_bytes'"},
      {R"({"memory_bytes": "\"1\""})", "'memory_bytes'"},
      {R"({"processes": 4294967296})", "'processes'"},
      {R"({"cpus": "2"})", "'cpus'"},
      {R"({"profile": 3})", "'profile'"},
      {R"([])", "object"},
      {"", "object"},
      {"{", "object"},
  };
  for (const auto& [json, word] : mistakes) {
    CAPTURE(json);
    const auto refused = with_changes({}, json);
    REQUIRE(refused.has_error());
    CHECK(refused.error().reason() == v1::REASON_INVALID_REQUEST);
    CHECK(refused.error().message().find(word) != std::string::npos);
  }
}

TEST_CASE("no limit is a limit that makes sense, too little is not", "[options]") {
  v1::PluginOptions options;
  CHECK_FALSE(options_failure(options));
  options.set_memory_bytes(0);
  options.set_cpus(0);
  options.set_processes(0);
  options.set_open_files(0);
  options.set_stop_timeout_ms(0);
  CHECK_FALSE(options_failure(options));
  options.set_memory_bytes(1 << 20);
  REQUIRE(options_failure(options));
  CHECK(options_failure(options)->message().find("'memory_bytes'") != std::string::npos);
}
