// Text of plugins on an administrator's terminal. A plugin chooses its own
// name, its log lines and its error messages; none of them may move the
// cursor, recolour the screen, retitle the window or reorder what is read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace supervisor::cli {

/// On one line and harmless: control characters (C0, DEL, C1), line and
/// paragraph separators, and the marks that reorder text become visible
/// escapes such as \x1b, \n or \u202e; bytes that are not UTF-8 become U+FFFD.
std::string safe_line(std::string_view text);

/// The same for text of several lines: line ends and tabs stay.
std::string safe_lines(std::string_view text);

/// The same for well-formed JSON text: the characters that JSON allows raw but
/// a terminal would obey become \uXXXX, which leaves the value what it was.
std::string safe_json(std::string_view text);

/// Bytes that are not UTF-8 become U+FFFD; nothing else changes.
std::string valid_utf8(std::string_view text);

/// Columns that `text`, which must have passed safe_line(), takes on a
/// terminal: 2 for wide East Asian characters and emoji, 0 for combining
/// marks.
std::size_t display_width(std::string_view text);

/// `text` cut to at most `columns`, the last of which is then an ellipsis.
std::string cut_to_width(std::string_view text, std::size_t columns);

}  // namespace supervisor::cli
