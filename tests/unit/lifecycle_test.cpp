#include <catch2/catch.hpp>
#include <fstream>
#include <queue>
#include <set>
#include <sstream>

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

namespace {

std::string states_document() {
  std::string text =
      "# States of a plugin\n\nThe table that the supervisor checks every change of state "
      "against; a unit test compares\nthis page with it.\n\n| state | meaning |\n|---|---|\n";
  for (int number = v1::PLUGIN_STATE_DISABLED; number <= v1::PLUGIN_STATE_MISSING; ++number) {
    const auto state = static_cast<v1::PluginState>(number);
    text += "| `" + state_name(state) + "` | " + explain(state) + " |\n";
  }
  text += "\n| from | to | when |\n|---|---|---|\n";
  for (const auto& transition : transitions())
    text += "| `" + state_name(transition.from) + "` | `" + state_name(transition.to) + "` | " +
            transition.when + " |\n";
  return text;
}

}  // namespace

TEST_CASE("the page on states shows the table that the code checks") {
  std::ifstream file(std::string(DOCS_DIR) + "/states.md");
  std::stringstream shown;
  shown << file.rdbuf();
  // When this fails, the left side is what the page must be.
  CHECK(states_document() == shown.str());
}
