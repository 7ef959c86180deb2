// Durations as people write them: "500ms", "30s", "1.5m", "2h", "7d"; a bare number
// counts seconds.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace supervisor::cli {

/// The longest duration that a call may be given.
inline constexpr std::chrono::milliseconds max_duration = std::chrono::hours(24);

/// Nothing unless `text` is a positive duration of at least 1 ms and at most
/// `longest`.
std::optional<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::chrono::milliseconds longest = max_duration);

}  // namespace supervisor::cli
