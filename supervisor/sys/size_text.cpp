#include "supervisor/sys/size_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace supervisor::sys {
namespace {

// The power of two that one of `unit` is; nothing for a word that is none.
std::optional<int> shift_of(std::string unit) {
  std::erase(unit, ' ');
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (unit.empty() || unit == "b") return 0;
  if (unit.size() > 1 && unit.back() == 'b') unit.pop_back();
  if (unit.size() == 2 && unit.back() == 'i') unit.pop_back();
  if (unit == "k") return 10;
  if (unit == "m") return 20;
  if (unit == "g") return 30;
  if (unit == "t") return 40;
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (text == "none") return 0;
  const auto split = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + split, number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + split) return std::nullopt;
  const auto shift = shift_of(std::string(text.substr(split)));
  if (!shift) return std::nullopt;
  const double bytes = std::ldexp(number, *shift);
  if (!(bytes < 9e18)) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::string size_text(std::uint64_t bytes) {
  if (bytes == 0) return "none";
  const char* unit = "";
  for (const char* larger : {"k", "m", "g", "t"}) {
    if (bytes % 1024 != 0) break;
    bytes /= 1024;
    unit = larger;
  }
  return std::to_string(bytes) + unit;
}

}  // namespace supervisor::sys
