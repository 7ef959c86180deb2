#include "supervisor/sys/short_text.h"

namespace supervisor::sys {

std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  const auto is_within_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  while (most > 0 && is_within_character(most)) --most;
  return std::string(text.substr(0, most)) + "...";
}

}  // namespace supervisor::sys
