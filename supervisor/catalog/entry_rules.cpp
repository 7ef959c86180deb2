#include "supervisor/catalog/entry_rules.h"

#include <boost/json.hpp>

#include "supervisor/catalog/utf8.h"

namespace supervisor::catalog {
namespace {

namespace json = boost::json;

constexpr std::size_t max_warnings = 50;

template <typename Accept>
void drop_unless(json::object& entry, std::initializer_list<std::string_view> names,
                 std::string_view expected, Accept&& accept, const std::string& place,
                 std::vector<std::string>& warnings) {
  for (const auto name : names) {
    const auto* value = entry.if_contains(name);
    if (value == nullptr || accept(*value)) continue;
    if (!value->is_null())
      add_warning(warnings, place + ": " + std::string(name) + " ignored: expected " +
                                std::string(expected) + ", got " + std::string(kind_of(*value)));
    entry.stable_erase(name);
  }
}

}  // namespace

void add_warning(std::vector<std::string>& warnings, std::string text) {
  if (warnings.size() > max_warnings) return;
  if (warnings.size() == max_warnings) text = "Further warnings are not listed.";
  warnings.push_back(std::move(text));
}

std::string_view kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "nothing";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::string:
      return "text";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

std::string quoted(std::string_view text) {
  constexpr std::size_t shown = 60;
  auto cut = std::string(utf8_prefix(text, shown));
  if (cut.size() < text.size()) cut += "...";
  return "'" + escape_bytes(cut, "\\x") + "'";
}

std::string place_of(std::string_view list, std::size_t index, const json::value& entry) {
  std::string place = std::string(list) + "[" + std::to_string(index) + "]";
  const auto* object = entry.if_object();
  const auto* id = object != nullptr ? object->if_contains("id") : nullptr;
  if (id != nullptr && id->is_string() && !id->get_string().empty())
    place += " (" + quoted(id->get_string()) + ")";
  return place;
}

bool has_id(json::object& entry) {
  auto* id = entry.if_contains("id");
  if (id == nullptr) return false;
  if (id->is_int64() || id->is_uint64()) *id = json::serialize(*id);
  return id->is_string() && id->get_string().find_first_not_of(" \t\r\n") != json::string::npos;
}

void drop_unless_text(json::object& entry, std::initializer_list<std::string_view> names,
                      const std::string& place, std::vector<std::string>& warnings) {
  // A number is shown as well as text; the host turns it into text, too.
  drop_unless(
      entry, names, "text", [](const auto& v) { return v.is_string() || v.is_number(); }, place,
      warnings);
}

void drop_unless_number(json::object& entry, std::initializer_list<std::string_view> names,
                        const std::string& place, std::vector<std::string>& warnings) {
  drop_unless(
      entry, names, "a number", [](const auto& v) { return v.is_number(); }, place, warnings);
}

void drop_unless_boolean(json::object& entry, std::initializer_list<std::string_view> names,
                         const std::string& place, std::vector<std::string>& warnings) {
  drop_unless(
      entry, names, "true or false", [](const auto& v) { return v.is_bool(); }, place, warnings);
}

json::array valid_entries(const json::value& list, std::string_view list_name,
                          const EntryRule& is_valid, std::vector<std::string>& warnings) {
  json::array valid;
  const auto* entries = list.if_array();
  if (entries == nullptr) {
    if (!list.is_null())
      add_warning(warnings,
                  std::string(list_name) + ": expected a list, got " + std::string(kind_of(list)));
    return valid;
  }
  for (std::size_t i = 0; i < entries->size(); ++i) {
    const auto place = place_of(list_name, i, (*entries)[i]);
    const auto* object = (*entries)[i].if_object();
    if (object == nullptr) {
      add_warning(warnings,
                  place + ": expected an object, got " + std::string(kind_of((*entries)[i])));
      continue;
    }
    json::object entry = *object;
    if (!has_id(entry)) {
      add_warning(warnings, place + ": no id");
      continue;
    }
    if (is_valid(entry, place, warnings)) valid.emplace_back(std::move(entry));
  }
  return valid;
}

}  // namespace supervisor::catalog
