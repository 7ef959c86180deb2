#include "supervisor/attack/attack_report.h"

#include <algorithm>
#include <boost/json.hpp>

#include "supervisor/logs/printable_text.h"

namespace supervisor::attack {
namespace {

namespace json = boost::json;

constexpr std::size_t most_results = 1000;
constexpr std::size_t longest_text = 300;

std::string text_of(const json::value& value) {
  return logs::printable_text(std::string_view(value.as_string()), longest_text);
}

v1::AttackVerdict verdict_of(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  auto verdict = v1::ATTACK_VERDICT_UNSPECIFIED;
  v1::AttackVerdict_Parse("ATTACK_VERDICT_" + name, &verdict);
  return verdict;
}

v1::AttackResult result_of(const json::value& row) {
  v1::AttackResult result;
  result.set_number(row.at("number").to_number<std::uint32_t>());
  result.set_name(text_of(row.at("name")));
  result.set_what(text_of(row.at("what")));
  result.set_verdict(verdict_of(text_of(row.at("verdict"))));
  result.set_outcome(text_of(row.at("outcome")));
  const auto& stopped_by = row.at("stopped_by").as_array();
  for (std::size_t i = 0; i < std::min(stopped_by.size(), most_results); ++i)
    result.add_stopped_by(text_of(stopped_by.at(i)));
  return result;
}

}  // namespace

Outcome<v1::AttackResponse> read_attack_report(const std::string& plugin, const std::string& text) {
  v1::AttackResponse report;
  try {
    const auto answer = json::parse(text);
    const auto& rows = answer.at("results").as_array();
    if (rows.empty() || rows.size() > most_results) throw std::out_of_range("results");
    for (const auto& row : rows) {
      *report.add_results() = result_of(row);
      if (report.results().rbegin()->verdict() == v1::ATTACK_VERDICT_UNSPECIFIED)
        throw std::out_of_range("verdict");
    }
  } catch (const std::exception& error) {
    return make_failure(v1::REASON_RESULT_NOT_JSON, "attack",
                        "What the worker of '" + plugin +
                            "' tells of the attacks cannot be read: " + error.what() + ".",
                        "The plugin may have changed what runs in its process; try another.",
                        plugin);
  }
  return report;
}

}  // namespace supervisor::attack
