#include <boost/json.hpp>

#include "supervisor/catalog/entry_rules.h"
#include "supervisor/catalog/field_types.h"
#include "supervisor/catalog/json_document.h"
#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/catalog/utf8.h"

namespace supervisor::catalog {
namespace {

namespace json = boost::json;

std::string expected(std::string_view what, const json::value& value) {
  return "expected " + std::string(what) + ", got " +
         (value.is_string() ? "a string" : std::string(kind_of(value)));
}

// The browser sends the values of a select as text, whatever the manifest had.
bool is_same_choice(const json::value& a, const json::value& b) {
  const auto text = [](const json::value& v) {
    return v.is_string() ? std::string(v.get_string()) : write_document(v);
  };
  return a == b || text(a) == text(b);
}

std::string choice_problem(const json::object& field, const json::value& value) {
  const auto* options = field.if_contains("options");
  if (options == nullptr || !options->is_array()) return {};
  for (const auto& option : options->get_array()) {
    const auto* object = option.if_object();
    const auto* choice = object != nullptr ? object->if_contains("value") : nullptr;
    if (choice != nullptr && is_same_choice(*choice, value)) return {};
  }
  return (value.is_string() ? quoted(value.get_string()) : quoted(write_document(value))) +
         " is not one of its options";
}

std::string number_problem(const json::object& field, const json::value& value) {
  if (!value.is_number()) return expected("a number", value);
  const auto number = value.to_number<double>();
  const auto* min = field.if_contains("min");
  if (min != nullptr && min->is_number() && number < min->to_number<double>())
    return write_document(value) + " is less than " + write_document(*min);
  const auto* max = field.if_contains("max");
  if (max != nullptr && max->is_number() && number > max->to_number<double>())
    return write_document(value) + " is more than " + write_document(*max);
  return {};
}

std::string text_problem(const json::object& field, const json::value& value) {
  if (!value.is_string()) return expected("a string", value);
  const auto* max_length = field.if_contains("max_length");
  if (max_length != nullptr && max_length->is_number() &&
      static_cast<double>(utf8_length(value.get_string())) > max_length->to_number<double>())
    return "longer than " + write_document(*max_length) + " characters";
  return {};
}

// Empty when `value` fits.
std::string problem_of(const json::object& field, ValueShape shape, const json::value& value) {
  const auto* required = field.if_contains("required");
  const bool is_empty = value.is_null() || (value.is_string() && value.get_string().empty());
  if (is_empty && required != nullptr && required->is_bool() && required->get_bool())
    return "required, but empty";
  if (value.is_null()) return {};  // Cleared; the plugin sees None.
  switch (shape) {
    case ValueShape::boolean:
      return value.is_bool() ? std::string() : expected("a boolean", value);
    case ValueShape::number:
      return number_problem(field, value);
    case ValueShape::text:
      return text_problem(field, value);
    case ValueShape::choice:
      return choice_problem(field, value);
    case ValueShape::list:
      return value.is_array() ? std::string() : expected("a list", value);
    case ValueShape::any:
    case ValueShape::none:
      break;
  }
  return {};
}

}  // namespace

std::vector<std::string> settings_warnings(std::string_view settings_json,
                                           std::string_view fields_json) {
  std::vector<std::string> warnings;
  const auto settings = parse_document(settings_json.empty() ? "{}" : settings_json);
  if (!settings.value || !settings.value->is_object()) {
    warnings.push_back("settings: expected an object");
    return warnings;
  }
  const auto fields = parse_document(fields_json.empty() ? "[]" : fields_json);
  if (!fields.value || !fields.value->is_array()) return warnings;
  for (const auto& entry : fields.value->get_array()) {
    const auto* field = entry.if_object();
    if (field == nullptr) continue;
    const auto* id = field->if_contains("id");
    const auto* type = field->if_contains("type");
    if (id == nullptr || !id->is_string() || type == nullptr || !type->is_string()) continue;
    const auto shape = shape_of_type(type->get_string());
    const auto* value = settings.value->get_object().if_contains(id->get_string());
    if (!shape || value == nullptr) continue;
    if (const auto problem = problem_of(*field, *shape, *value); !problem.empty())
      add_warning(warnings, std::string(id->get_string()) + ": " + problem);
  }
  return warnings;
}

}  // namespace supervisor::catalog
