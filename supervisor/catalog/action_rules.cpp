#include <boost/json.hpp>

#include "supervisor/catalog/entry_rules.h"

namespace supervisor::catalog {
namespace {

namespace json = boost::json;

bool means_yes(const json::value& value) {
  if (value.is_string()) return !value.get_string().empty();
  if (value.is_array()) return !value.get_array().empty();
  return !value.is_number() || value.to_number<double>() != 0;
}

// An author who wrote anything here wanted the user to be asked; so does the
// user, when in doubt.
void check_confirm(json::object& action, const std::string& place,
                   std::vector<std::string>& warnings) {
  auto* confirm = action.if_contains("confirm");
  if (confirm == nullptr || confirm->is_bool()) return;
  if (confirm->is_null()) {
    action.stable_erase("confirm");
    return;
  }
  if (auto* object = confirm->if_object()) {
    drop_unless_text(*object, {"title", "message"}, place + ".confirm", warnings);
    drop_unless_boolean(*object, {"required"}, place + ".confirm", warnings);
    return;
  }
  const bool asks = means_yes(*confirm);
  add_warning(warnings,
              place + ": confirm must be true, false or {required, title, message}, got " +
                  std::string(kind_of(*confirm)) + "; taken as " + (asks ? "true" : "false"));
  *confirm = asks;
}

void check_events(json::object& action, const std::string& place,
                  std::vector<std::string>& warnings) {
  auto* events = action.if_contains("events");
  if (events == nullptr) return;
  if (!events->is_array()) {
    if (!events->is_null())
      add_warning(warnings, place + ": events ignored: expected a list, got " +
                                std::string(kind_of(*events)));
    action.stable_erase("events");
    return;
  }
  json::array names;
  for (const auto& event : events->get_array()) {
    if (event.is_string())
      names.push_back(event);
    else
      add_warning(warnings,
                  place + ": an event ignored: expected text, got " + std::string(kind_of(event)));
  }
  *events = std::move(names);
}

}  // namespace

bool is_valid_action(json::object& action, const std::string& place,
                     std::vector<std::string>& warnings) {
  drop_unless_text(
      action,
      {"label", "description", "button_label", "button_variant", "button_color", "running_label",
       "variant", "color", "size", "success_message", "error_message"},
      place, warnings);
  if (!action.contains("label")) {
    // A copy first: making room for the label moves the id.
    json::value label = action.at("id");
    action["label"] = std::move(label);
    add_warning(warnings, place + ": no label; its id is shown");
  }
  check_confirm(action, place, warnings);
  check_events(action, place, warnings);
  return true;
}

}  // namespace supervisor::catalog
