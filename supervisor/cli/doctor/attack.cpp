#include "supervisor/cli/doctor/attack.h"

#include <algorithm>
#include <map>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/sandbox/protections.h"

namespace supervisor::cli::doctor {
namespace {

struct Attacked {
  std::string key;
  v1::AttackResponse response;
};

std::string verdict_name(v1::AttackVerdict verdict) {
  return lower_without_prefix(v1::AttackVerdict_Name(verdict), "ATTACK_VERDICT_");
}

Table::Cell verdict_cell(v1::AttackVerdict verdict) {
  switch (verdict) {
    case v1::ATTACK_VERDICT_BLOCKED:
      return {"blocked", "32"};
    case v1::ATTACK_VERDICT_OPEN:
      return {"NOT BLOCKED", "31"};
    case v1::ATTACK_VERDICT_UNPROTECTED:
      return {"not blocked", "33"};
    default:
      return {verdict_name(verdict)};
  }
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

int count(const Attacked& attacked, v1::AttackVerdict verdict) {
  const auto& results = attacked.response.results();
  return static_cast<int>(
      std::count_if(results.begin(), results.end(),
                    [verdict](const auto& result) { return result.verdict() == verdict; }));
}

bool holds(const Attacked& attacked) { return count(attacked, v1::ATTACK_VERDICT_OPEN) == 0; }

std::string tier_text(const v1::SandboxReport& sandbox) {
  return sandbox.tier() < 0 ? "no tier" : "tier T" + std::to_string(sandbox.tier());
}

std::string as_json(const std::vector<Attacked>& all, bool held) {
  JsonWriter plugins('[');
  for (const auto& attacked : all) {
    JsonWriter missing('[');
    for (const auto& state : attacked.response.sandbox().protections())
      if (!state.in_force())
        missing.element(json_quote(sandbox::protection_name(state.protection())));
    JsonWriter rows('[');
    for (const auto& result : attacked.response.results()) {
      JsonWriter stops('[');
      for (const auto& protection : result.stopped_by()) stops.element(json_quote(protection));
      JsonWriter row('{');
      row.number("number", result.number())
          .text("name", result.name())
          .text("what", result.what())
          .text("verdict", verdict_name(result.verdict()))
          .text("outcome", result.outcome())
          .raw("stopped_by", std::move(stops).finish());
      rows.element(std::move(row).finish());
    }
    JsonWriter plugin('{');
    plugin.text("key", attacked.key)
        .number("sandbox_tier", attacked.response.sandbox().tier())
        .raw("missing", std::move(missing).finish())
        .raw("results", std::move(rows).finish());
    plugins.element(std::move(plugin).finish());
  }
  JsonWriter json('{');
  json.boolean("success", held).raw("plugins", std::move(plugins).finish());
  return std::move(json).finish();
}

void print(const Attacked& attacked, Terminal& terminal) {
  Table table({{"NO", Table::Align::right},
               {"ATTEMPT", Table::Align::left, 72},
               {"RESULT"},
               {"ERROR", Table::Align::left, 40},
               {"STOPPED BY", Table::Align::left, 60}});
  for (const auto& result : attacked.response.results())
    table.add_row({{std::to_string(result.number())},
                   {result.what()},
                   verdict_cell(result.verdict()),
                   {result.outcome()},
                   {joined(result.stopped_by())}});
  terminal.print(table.render(terminal.colours()));
  std::string counts;
  for (const auto verdict :
       {v1::ATTACK_VERDICT_BLOCKED, v1::ATTACK_VERDICT_OPEN, v1::ATTACK_VERDICT_UNPROTECTED,
        v1::ATTACK_VERDICT_GRANTED, v1::ATTACK_VERDICT_UNCLEAR, v1::ATTACK_VERDICT_UNTRIED}) {
    const int some = count(attacked, verdict);
    if (some > 0) counts += ", " + std::to_string(some) + " " + verdict_cell(verdict).text;
  }
  terminal.print("\n" + safe_line(attacked.key) + " (" + tier_text(attacked.response.sandbox()) +
                 ")" + counts + ".\n");
  terminal.print(holds(attacked)
                     ? "Its sandbox stops what it is to stop.\n"
                     : "Its sandbox lets through what a protection in force was to stop.\n");
}

std::vector<std::string> running(const v1::ListWorkersResponse& workers) {
  std::vector<std::string> keys;
  for (const auto& row : workers.rows())
    if (row.worker().state() == v1::PLUGIN_STATE_RUNNING) keys.push_back(row.key());
  return keys;
}

}  // namespace

ExitCode attack(SupervisorClient& supervisor, const std::string& key, Terminal& terminal) {
  std::vector<std::string> keys{key};
  if (key.empty()) {
    const auto workers = supervisor.workers();
    if (!workers) return terminal.fail(workers.error());
    keys = running(*workers);
  }
  if (keys.empty())
    return terminal.fail(make_failure(v1::REASON_NOT_FOUND, "attack",
                                      "No plugin runs, so there is no sandbox to attack.",
                                      "Enable one; any will do, such as the sample hello."));
  std::vector<Attacked> all;
  for (const auto& each : keys) {
    auto response = supervisor.attack(each);
    if (!response) return terminal.fail(response.error());
    all.push_back({each, std::move(*response)});
    if (terminal.json()) continue;
    if (all.size() > 1) terminal.print("\n");
    print(all.back(), terminal);
  }
  const bool held = std::all_of(all.begin(), all.end(), holds);
  if (terminal.json()) terminal.print_json(as_json(all, held));
  return held ? ExitCode::ok : ExitCode::failed;
}

}  // namespace supervisor::cli::doctor
