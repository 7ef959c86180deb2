#include "supervisor/catalog/field_types.h"

#include <array>
#include <string>
#include <utility>

namespace supervisor::catalog {
namespace {

using enum ValueShape;

constexpr std::array<std::pair<std::string_view, ValueShape>, 42> types{{
    {"boolean", boolean},
    {"number", number},
    {"string", text},
    {"text", text},
    {"select", choice},
    {"info", none},
    // Input types of the UI schema.
    {"password", text},
    {"search", text},
    {"email", text},
    {"url", text},
    {"textarea", text},
    {"checkbox", boolean},
    {"switch", boolean},
    {"slider", number},
    {"range", list},
    {"rangeslider", list},
    {"radio", choice},
    {"radiogroup", choice},
    {"segmented", choice},
    {"segmentedcontrol", choice},
    {"autocomplete", text},
    {"multiselect", list},
    {"checkboxgroup", list},
    {"tags", list},
    {"taginput", list},
    {"tagsinput", list},
    {"chips", list},
    {"chipinput", list},
    {"date", text},
    {"time", text},
    {"datetime", text},
    {"daterange", list},
    {"datepicker", text},
    {"timepicker", text},
    {"datetimepicker", text},
    {"color", text},
    {"colorpicker", text},
    {"colorinput", text},
    {"file", any},
    {"fileupload", any},
    {"json", any},
    {"jsoneditor", any},
}};

}  // namespace

std::optional<ValueShape> shape_of_type(std::string_view type) {
  std::string plain;
  for (const char c : type)
    if (c != '_' && c != '-') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const auto& [name, shape] : types)
    if (name == plain) return shape;
  return std::nullopt;
}

}  // namespace supervisor::catalog
