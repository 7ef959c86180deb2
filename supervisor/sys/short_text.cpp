#include "supervisor/sys/short_text.h"

#include "supervisor/sys/utf8_prefix.h"

namespace supervisor::sys {

std::string shortened(std::string_view text, std::size_t most) {
  const auto kept = utf8_prefix(text, most);
  return kept.size() == text.size() ? std::string(text) : std::string(kept) + "...";
}

}  // namespace supervisor::sys
