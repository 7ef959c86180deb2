// Text from the file system, which may be any bytes, made safe to show. Pure
// functions, callable from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace supervisor::catalog {

/// True when `text` is well-formed UTF-8: no overlong forms, no surrogates,
/// nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

/// Characters (code points) of valid UTF-8.
std::size_t utf8_length(std::string_view text);

/// The first `count` characters of valid UTF-8.
std::string_view utf8_prefix(std::string_view text, std::size_t count);

/// The same text with `mark` and two hexadecimal digits in place of every byte
/// that is not part of valid UTF-8, or is a control character: "a\xff" becomes
/// "a~xff" with mark "~x". Valid UTF-8 whatever comes in.
std::string escape_bytes(std::string_view text, std::string_view mark);

}  // namespace supervisor::catalog
