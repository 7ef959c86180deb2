// What the supervisor takes of a worker's word on attacks, and what it makes to
// be attacked.
#include <unistd.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "supervisor/attack/attack_report.h"
#include "supervisor/attack/attack_targets.h"

using namespace supervisor;

namespace {

std::string row(const std::string& change = "") {
  return R"({"number": 1, "name": "read_shadow", "what": "read it", "verdict": "blocked",
             "outcome": "ENOENT", "stopped_by": ["root", "files"])" +
         change + "}";
}

std::string report(const std::string& rows) { return R"({"results": [)" + rows + "]}"; }

}  // namespace

TEST_CASE("a worker's report of attacks is read as it is told") {
  const auto read = attack::read_attack_report("x", report(row() + "," + row()));
  REQUIRE(read.has_value());
  REQUIRE(read->results_size() == 2);
  const auto& result = read->results(0);
  CHECK(result.number() == 1);
  CHECK(result.verdict() == v1::ATTACK_VERDICT_BLOCKED);
  CHECK(result.outcome() == "ENOENT");
  CHECK(result.stopped_by_size() == 2);
}

TEST_CASE("a report that a plugin has made up cannot be read, or does no harm") {
  std::string many = row();
  for (int i = 0; i < 2000; ++i) many += "," + row();
  for (const auto& text :
       {std::string(), std::string("null"), std::string("{}"), report(""), report("7"),
        report(row(R"(, "verdict": "splendid")")), report(row(R"(, "number": -1)")),
        report(row(R"(, "outcome": null)")), report(many)}) {
    const auto read = attack::read_attack_report("x", text);
    REQUIRE(read.has_error());
    CHECK(read.error().reason() == v1::REASON_RESULT_NOT_JSON);
  }
  const auto escape = attack::read_attack_report("x", report(row(R"(, "what": "\u001b[2Jgone")")));
  REQUIRE(escape.has_value());
  CHECK(escape->results(0).what().find('\x1b') == std::string::npos);
}

TEST_CASE("what is made to be attacked is there, and goes with its maker") {
  std::string shared;
  {
    const attack::AttackTargets targets;
    const auto values = boost::json::parse(targets.json({})).as_object();
    CHECK(values.at("port").as_int64() > 0);
    CHECK(values.at("supervisor_pid").as_int64() == ::getpid());
    shared = "/dev/shm/" + std::string(values.at("shared").as_string());
    CHECK(::access(shared.c_str(), R_OK) == 0);
  }
  CHECK(::access(shared.c_str(), F_OK) != 0);
}
