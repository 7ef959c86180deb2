// JSON that passes through untouched: validate it, and cut a member's bytes
// out of an envelope without decoding and encoding the rest (which would lose
// large integers and the order of keys).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace supervisor::sys {

/// Nesting beyond this is refused everywhere.
inline constexpr std::size_t max_json_depth = 64;

/// Empty when `text` is one well-formed JSON value; otherwise what is wrong
/// and at which byte: "syntax error at byte 17".
std::string json_error(std::string_view text);

/// The bytes of the value of top-level member `name` of `object`, which must
/// have passed json_error(). The last one wins when the name is repeated, as
/// in Python. Nothing when absent or when `object` is not an object.
std::optional<std::string_view> json_member(std::string_view object, std::string_view name);

/// True when the first token of valid JSON `text` opens an object.
bool is_json_object(std::string_view text);

}  // namespace supervisor::sys
