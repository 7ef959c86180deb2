// Where UTF-8 may be cut. Also of the worker's side.
#pragma once

#include <string_view>

namespace supervisor::sys {

/// `text` up to `most` bytes, but not within a character.
inline std::string_view utf8_prefix(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  const auto is_within_character = [&text](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  while (most > 0 && is_within_character(most)) --most;
  return text.substr(0, most);
}

}  // namespace supervisor::sys
