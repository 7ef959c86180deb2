// Text of a plugin, made harmless to a terminal, a log file and a UTF-8 wire.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace supervisor::logs {

/// Bytes of one log line at most.
inline constexpr std::size_t max_line_bytes = 8192;

/// Valid UTF-8 without control characters: bytes that are not UTF-8 become
/// U+FFFD, control characters other than tab become "\x1b", and what separates
/// lines or reorders text (U+2028, U+202E, ...) becomes "\u202e". Text longer
/// than `limit` bytes is cut there and ends in "... (cut, N bytes)".
std::string printable_text(std::string_view raw, std::size_t limit = max_line_bytes);

/// Of what names something, and is plain nearly always.
std::string printable_name(std::string text, std::size_t limit = 200);

/// The same for each line of `raw`, joined by line ends again.
std::string printable_lines(std::string_view raw);

}  // namespace supervisor::logs
