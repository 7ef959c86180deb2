#include "supervisor/audit/audit_details.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "supervisor/logs/printable_text.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/plugin_options.h"

namespace supervisor::audit {
namespace {

namespace json = boost::json;

// A trail that nobody can make long: whoever names a thousand things has said
// enough by then.
constexpr std::size_t max_names = 100;
constexpr std::size_t max_name_bytes = 200;

// Needs no escape in JSON.
bool is_plain(unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

json::object parsed(std::string_view text) {
  json::parse_options options;
  options.max_depth = sys::max_json_depth;
  json::error_code error;
  const auto value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  return !error && value.is_object() ? value.get_object() : json::object();
}

// The members of `after` that are new or differ, and those that are gone.
std::vector<std::string> differing(const json::object& before, const json::object& after) {
  std::set<std::string> names;
  for (const auto& [name, value] : after) {
    const auto* const old = before.if_contains(name);
    if (old == nullptr || *old != value) names.emplace(name.data(), name.size());
  }
  for (const auto& [name, value] : before)
    if (!after.contains(name)) names.emplace(name.data(), name.size());
  return {names.begin(), names.end()};
}

json::array listed(const std::vector<std::string>& names) {
  json::array list;
  for (const auto& name : names) {
    if (list.size() == max_names) {
      list.emplace_back("and " + std::to_string(names.size() - max_names) + " more");
      break;
    }
    list.emplace_back(logs::printable_text(name, max_name_bytes));
  }
  return list;
}

// Those of `some` that are not among `others`.
std::vector<std::string> without(const std::vector<std::string>& some,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> rest;
  for (const auto& one : some)
    if (std::find(others.begin(), others.end(), one) == others.end()) rest.push_back(one);
  return rest;
}

}  // namespace

std::string settings_details(std::string_view before, std::string_view after) {
  json::object details;
  details["keys"] = listed(differing(parsed(before), parsed(after)));
  return json::serialize(details);
}

std::string options_details(const v1::PluginOptions& before, const v1::PluginOptions& after) {
  const auto now = parsed(sys::plugin_options_json(after, true));
  json::object set;
  for (const auto& name : differing(parsed(sys::plugin_options_json(before, true)), now)) {
    const auto* const value = now.if_contains(name);
    set[name] = value != nullptr ? *value : json::value();
    if (set[name].is_string())
      set[name] =
          logs::printable_text({value->get_string().data(), value->get_string().size()}, 1000);
  }
  json::object details;
  details["set"] = std::move(set);
  return json::serialize(details);
}

GrantDetails grant_details(const v1::Permissions& before, const v1::Permissions& after) {
  const auto had = sandbox::term_texts(before);
  const auto has = sandbox::term_texts(after);
  const auto granted = without(has, had);
  const auto revoked = without(had, has);
  json::object details;
  details["granted"] = listed(granted);
  details["revoked"] = listed(revoked);
  return {json::serialize(details), granted.empty() && !revoked.empty()};
}

std::string run_details(const std::string& action, const std::string& job) {
  std::string details = R"({"action":)";
  // Nearly every action is a word, and this happens at every run.
  if (action.size() <= max_name_bytes && std::all_of(action.begin(), action.end(), is_plain)) {
    details.append("\"").append(action).append("\"");
  } else {
    const auto name = logs::printable_text(action, max_name_bytes);
    details += json::serialize(json::string_view(name.data(), name.size()));
  }
  return details.append(R"(,"job":")").append(job).append("\"}");
}

}  // namespace supervisor::audit
