#include <catch2/catch.hpp>
#include <queue>
#include <set>

#include "supervisor/lifecycle/plugin_state.h"
#include "supervisor/lifecycle/restart_policy.h"

using namespace supervisor;
using namespace supervisor::lifecycle;
using namespace std::chrono_literals;

TEST_CASE("every state can be reached from disabled") {
  std::set<v1::PluginState> seen{v1::PLUGIN_STATE_DISABLED};
  std::queue<v1::PluginState> open;
  open.push(v1::PLUGIN_STATE_DISABLED);
  while (!open.empty()) {
    const auto from = open.front();
    open.pop();
    for (const auto& transition : transitions()) {
      if (transition.from == from && seen.insert(transition.to).second) open.push(transition.to);
    }
  }
  CHECK(seen.size() == 9);
}

TEST_CASE("from every state there is a way back to disabled") {
  for (const auto& start : transitions()) {
    std::set<v1::PluginState> seen{start.from};
    bool grew = true;
    while (grew) {
      grew = false;
      for (const auto& transition : transitions())
        if (seen.contains(transition.from) && seen.insert(transition.to).second) grew = true;
    }
    INFO(state_name(start.from));
    CHECK(seen.contains(v1::PLUGIN_STATE_DISABLED));
  }
}

TEST_CASE("a worker is only ever started from rest or after a crash") {
  CHECK(is_allowed(v1::PLUGIN_STATE_RUNNING, v1::PLUGIN_STATE_STARTING));
  CHECK_FALSE(is_allowed(v1::PLUGIN_STATE_STOPPING, v1::PLUGIN_STATE_STARTING));
  CHECK_FALSE(is_allowed(v1::PLUGIN_STATE_DISABLED, v1::PLUGIN_STATE_RUNNING));
  CHECK_FALSE(is_allowed(v1::PLUGIN_STATE_RUNNING, v1::PLUGIN_STATE_DISABLED));
}

TEST_CASE("a refused call carries why the plugin is in its state") {
  auto cause = make_failure(v1::REASON_IMPORT_FAILED, "import", "No module named 'apps'.", "hint");
  cause.add_evidence("Traceback");
  const auto refused = refusal(v1::PLUGIN_STATE_LOAD_FAILED, "p", &cause);
  CHECK(refused.reason() == v1::REASON_NOT_LOADED);
  CHECK(refused.message() == "Plugin 'p' is not loaded. No module named 'apps'.");
  CHECK(refused.hint() == "hint");
  CHECK(refused.evidence_size() == 1);
  CHECK(refusal(v1::PLUGIN_STATE_DISABLED, "p", nullptr).reason() == v1::REASON_PLUGIN_DISABLED);
}
