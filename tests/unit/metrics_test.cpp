#include <catch2/catch.hpp>

#include "api_gateway/gateway_meter.h"
#include "supervisor/metrics/meters.h"

using namespace supervisor;
using metrics::Exposition;
using Type = Exposition::Type;

namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

v1::Worker worker_in(v1::PluginState state) {
  v1::Worker worker;
  worker.set_state(state);
  return worker;
}

struct Life {
  events::EventBus bus;
  metrics::Meters meters{bus};
  std::shared_ptr<metrics::PluginMeter> held = meters.plugin("hello");

  void change(v1::PluginState from, const v1::Worker& to) {
    v1::WatchEvent event;
    event.mutable_state_changed()->set_key("hello");
    event.mutable_state_changed()->set_from(from);
    *event.mutable_state_changed()->mutable_worker() = to;
    bus.publish(std::move(event));
  }
  [[nodiscard]] std::string text() const {
    Exposition out;
    meters.append_to(out);
    return out.text();
  }
};

}  // namespace

TEST_CASE("labels are escaped, whatever a plugin is called") {
  Exposition out;
  out.family(Type::Gauge, "m", "Help.").value({{"plugin", "a\"b\\c\nd"}}, 1);
  CHECK(has_line(out.text(), R"(m{plugin="a\"b\\c\nd"} 1)"));
}

TEST_CASE("a family without values is told of all the same, and only once") {
  Exposition out;
  out.family(Type::Counter, "a_total", "A.");
  out.family(Type::Gauge, "b", "B.").value({}, 2);
  out.family(Type::Counter, "a_total", "A.").value({}, 3);
  const auto text = out.text();
  CHECK(has_line(text, "# TYPE a_total counter"));
  CHECK(text.find("# TYPE a_total", text.find("# TYPE a_total") + 1) == std::string::npos);
  CHECK(has_line(text, "a_total 3"));
}

TEST_CASE("the way from state to state tells of starts and stops") {
  Life life;
  auto running = worker_in(v1::PLUGIN_STATE_RUNNING);
  running.mutable_start_steps()->set_total_us(9000);
  life.change(v1::PLUGIN_STATE_STARTING, running);
  CHECK(life.held->starts.Value() == 1);

  SECTION("a worker taken over from an earlier supervisor is no start") {
    running.set_adopted(true);
    life.change(v1::PLUGIN_STATE_STARTING, running);
    CHECK(life.held->starts.Value() == 1);
    CHECK(life.held->adoptions.Value() == 1);
  }
  SECTION("what follows a crash is no stop") {
    auto stopping = worker_in(v1::PLUGIN_STATE_STOPPING);
    stopping.mutable_failure()->set_reason(v1::REASON_WORKER_EXITED);
    life.change(v1::PLUGIN_STATE_RUNNING, stopping);
    auto stopped = stopping;
    stopped.set_state(v1::PLUGIN_STATE_STOPPED);
    life.change(v1::PLUGIN_STATE_STOPPING, stopped);
    CHECK(life.held->clean_stops.Value() + life.held->forced_stops.Value() == 0);
  }
  SECTION("a stop, asked or forced") {
    life.change(v1::PLUGIN_STATE_RUNNING, worker_in(v1::PLUGIN_STATE_STOPPING));
    auto stopped = worker_in(v1::PLUGIN_STATE_STOPPED);
    life.change(v1::PLUGIN_STATE_STOPPING, stopped);
    stopped.mutable_last_stop()->set_forced(true);
    life.change(v1::PLUGIN_STATE_STOPPING, stopped);
    CHECK(life.held->clean_stops.Value() == 1);
    CHECK(life.held->forced_stops.Value() == 1);
  }
  SECTION("a start that fails") {
    auto failed = worker_in(v1::PLUGIN_STATE_LOAD_FAILED);
    failed.mutable_failure()->set_reason(v1::REASON_IMPORT_FAILED);
    life.change(v1::PLUGIN_STATE_STARTING, failed);
    CHECK(has_line(life.text(),
                   R"(plugin_load_failures_total{plugin="hello",reason="import_failed"} 1)"));
  }
  CHECK(has_line(life.text(), R"(plugin_supervisor_start_step_seconds_count{step="total"} 1)"));
}

TEST_CASE("a call is counted by its outcome and handed on") {
  Life life;
  std::vector<bool> seen;
  const auto done = [&seen](Outcome<std::string> outcome) { seen.push_back(outcome.has_value()); };
  life.held->timed(done)(std::string("1"));
  life.held->timed(done)(make_failure(v1::REASON_PLUGIN_RAISED, "run", "It raised."));
  life.held->timed(done)(make_failure(v1::REASON_QUEUE_FULL, "run", "Full."));
  life.held->refused(v1::REASON_PLUGIN_DISABLED);
  // A worker of a later version may tell reasons that are not known here.
  life.held->refused(static_cast<v1::Reason>(30000));
  CHECK(seen == std::vector<bool>{true, false, false});
  const auto text = life.text();
  CHECK(has_line(text, R"(plugin_calls_total{plugin="hello",outcome="ok"} 1)"));
  CHECK(has_line(text, R"(plugin_calls_total{plugin="hello",outcome="plugin_raised"} 1)"));
  CHECK(has_line(text, R"(plugin_calls_total{plugin="hello",outcome="plugin_disabled"} 1)"));
  CHECK(has_line(text, R"(plugin_calls_total{plugin="hello",outcome="internal"} 1)"));
  CHECK(has_line(text, R"(plugin_call_duration_seconds_count{plugin="hello"} 2)"));
}

TEST_CASE("what is counted of a plugin goes when the plugin does") {
  Life life;
  CHECK(life.meters.plugin("hello") == life.held);
  life.held.reset();
  CHECK(life.text().find("hello") == std::string::npos);
}

TEST_CASE("the gateway counts requests by endpoint and status, and knows its endpoints") {
  gateway::GatewayMeter meter;
  meter.count(gateway::Endpoint::run, 200, std::chrono::microseconds(300));
  meter.count(gateway::Endpoint::none, 404, std::chrono::microseconds(30));
  meter.count(gateway::Endpoint::run, 418, std::chrono::microseconds(30));
  const auto text = meter.text(true);
  CHECK(has_line(text, R"(plugin_gateway_requests_total{endpoint="run",status="200"} 1)"));
  CHECK(has_line(text, R"(plugin_gateway_requests_total{endpoint="run",status="other"} 1)"));
  CHECK(has_line(text, R"(plugin_gateway_requests_total{endpoint="none",status="404"} 1)"));
  CHECK(has_line(text, R"(plugin_gateway_request_duration_seconds_count{endpoint="run"} 2)"));
  CHECK(has_line(text, "plugin_gateway_supervisor_up 1"));
}
