#include <boost/json.hpp>

#include "supervisor/catalog/entry_rules.h"
#include "supervisor/catalog/field_types.h"

namespace supervisor::catalog {
namespace {

namespace json = boost::json;

bool is_option(const json::value& option) {
  const auto* object = option.if_object();
  if (object == nullptr) return false;
  const auto* value = object->if_contains("value");
  const auto* label = object->if_contains("label");
  const auto is_scalar = [](const json::value& v) {
    return v.is_string() || v.is_number() || v.is_bool();
  };
  return value != nullptr && is_scalar(*value) && label != nullptr &&
         (label->is_string() || label->is_number());
}

bool are_valid_options(json::object& field, const std::string& place,
                       std::vector<std::string>& warnings) {
  const auto* options = field.if_contains("options");
  if (options != nullptr && options->is_null()) {
    field.stable_erase("options");
    options = nullptr;
  }
  if (options == nullptr) return true;
  if (!options->is_array()) {
    add_warning(warnings,
                place + ": options must be a list, got " + std::string(kind_of(*options)));
    return false;
  }
  const auto& list = options->get_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (is_option(list[i])) continue;
    add_warning(warnings, place + ": options[" + std::to_string(i) + "] is not {value, label}");
    return false;
  }
  return true;
}

}  // namespace

bool is_valid_field(json::object& field, const std::string& place,
                    std::vector<std::string>& warnings) {
  const auto* type = field.if_contains("type");
  if (type == nullptr || type->is_null()) {
    add_warning(warnings, place + ": no type");
    return false;
  }
  if (!type->is_string()) {
    add_warning(warnings, place + ": type must be text, got " + std::string(kind_of(*type)));
    return false;
  }
  const auto shape = shape_of_type(type->get_string());
  if (!shape) {
    add_warning(warnings, place + ": unknown type " + quoted(type->get_string()));
    return false;
  }
  if (!are_valid_options(field, place, warnings)) return false;
  if (*shape == ValueShape::choice && !field.contains("options"))
    add_warning(warnings, place + ": has no options to choose from");
  drop_unless_text(field,
                   {"label", "help_text", "description", "placeholder", "input_type", "section"},
                   place, warnings);
  drop_unless_number(field, {"min", "max", "step", "max_length"}, place, warnings);
  drop_unless_boolean(field, {"required"}, place, warnings);
  return true;
}

}  // namespace supervisor::catalog
