#include "supervisor/cli/duration.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace supervisor::cli {
namespace {

// Milliseconds in one of `unit`, or 0 for a word that is not a unit.
double milliseconds_in(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s") return 1000;
  if (unit == "m" || unit == "min") return 60.0 * 1000;
  if (unit == "h") return 3600.0 * 1000;
  if (unit == "d") return 24 * 3600.0 * 1000;
  return 0;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text,
                                                        std::chrono::milliseconds longest) {
  const auto split = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view digits = text.substr(0, split);
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number,
                                            std::chars_format::fixed);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  const double value = number * milliseconds_in(text.substr(split));
  if (!(value >= 1) || value > static_cast<double>(longest.count())) return std::nullopt;
  return std::chrono::milliseconds(std::llround(value));
}

}  // namespace supervisor::cli
