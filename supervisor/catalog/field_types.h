// The types that a settings field may have, and what values they take.
#pragma once

#include <optional>
#include <string_view>

namespace supervisor::catalog {

/// What a value of a field of some type looks like.
enum class ValueShape { boolean, number, text, choice, list, any, none };

/// The shape for a field's type: the six types of the standard, and the input
/// types of the UI schema in any spelling ("multi_select", "multiSelect").
/// Nothing for an unknown type.
std::optional<ValueShape> shape_of_type(std::string_view type);

}  // namespace supervisor::catalog
