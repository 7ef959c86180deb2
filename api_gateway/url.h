// Paths of URLs: cut into segments, decoded, encoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gateway {

/// The path of a request target: without scheme and host (a proxy may send
/// them), query and fragment. Still encoded.
std::string_view path_of(std::string_view target);

/// `segment` with %XX decoded. Nothing when an escape is broken, or when the
/// result is not UTF-8 or holds a NUL: such a text can name nothing here.
std::optional<std::string> percent_decode(std::string_view segment);

/// `text` as one path segment.
std::string percent_encode(std::string_view text);

/// True for well-formed UTF-8: no surrogates, no overlong forms.
bool is_utf8(std::string_view text);

}  // namespace gateway
