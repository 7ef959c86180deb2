// Amounts of memory as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace supervisor::sys {

/// "512m", "1.5GiB", "64 MB", "1073741824"; units are powers of 1024, in either
/// case. "none" and "0" are 0. Nothing when it is none of these.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// "1g", "512m", "1000": the shortest that parse_size() takes back; "none" for 0.
std::string size_text(std::uint64_t bytes);

}  // namespace supervisor::sys
