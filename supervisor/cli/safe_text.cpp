#include "supervisor/cli/safe_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace supervisor::cli {
namespace {

struct Character {
  char32_t code;
  std::size_t size;  // Bytes taken.
  bool valid;
};

// Decodes strictly: no overlong forms, surrogates, or values past U+10FFFF.
Character decode(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1, true};
  std::size_t size = 0;
  char32_t code = 0;
  char32_t least = 0;
  if ((first & 0xE0) == 0xC0) {
    size = 2, code = first & 0x1F, least = 0x80;
  } else if ((first & 0xF0) == 0xE0) {
    size = 3, code = first & 0x0F, least = 0x800;
  } else if ((first & 0xF8) == 0xF0) {
    size = 4, code = first & 0x07, least = 0x10000;
  } else {
    return {0, 1, false};
  }
  if (text.size() < size) return {0, 1, false};
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return {0, 1, false};
    code = (code << 6) | (byte(at) & 0x3F);
  }
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {0, 1, false};
  return {code, size, true};
}

bool is_harmful(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) ||        // C0, DEL, C1
         code == 0x061C || code == 0x200E || code == 0x200F ||  // direction marks
         (code >= 0x2028 && code <= 0x202E) ||                  // separators, embeddings, overrides
         (code >= 0x2066 && code <= 0x2069) ||                  // isolates
         code == 0xFEFF;
}

void append_hex(std::string& out, char32_t code, int digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += hex[(code >> shift) & 15];
}

// Harmful characters all lie below U+10000.
void append_unicode_escape(std::string& out, char32_t code) {
  out += "\\u";
  append_hex(out, code, 4);
}

void append_visible_escape(std::string& out, char32_t code) {
  if (code == '\n') {
    out += "\\n";
  } else if (code == '\r') {
    out += "\\r";
  } else if (code == '\t') {
    out += "\\t";
  } else if (code < 0x80) {
    out += "\\x";
    append_hex(out, code, 2);
  } else {
    append_unicode_escape(out, code);
  }
}

std::string made_safe(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    if (!c.valid) {
      out += "\xEF\xBF\xBD";
    } else if (is_harmful(c.code) &&
               (c.size != 1 || kept.find(text[0]) == std::string_view::npos)) {
      append_visible_escape(out, c.code);
    } else {
      out += text.substr(0, c.size);
    }
    text.remove_prefix(c.size);
  }
  return out;
}

struct Range {
  char32_t first;
  char32_t last;
};

// Blocks of Unicode 15, coarser than the standard's table: the columns of a
// listing must line up for what people name their plugins.
constexpr std::array<Range, 26> wide{{
    {0x1100, 0x115F},   {0x231A, 0x231B}, {0x2329, 0x232A}, {0x23E9, 0x23EC},   {0x23F0, 0x23F3},
    {0x25FD, 0x25FE},   {0x2614, 0x2615}, {0x2648, 0x2653}, {0x26A1, 0x26A1},   {0x26BD, 0x26BE},
    {0x2705, 0x2705},   {0x2728, 0x2728}, {0x274C, 0x274C}, {0x2753, 0x2757},   {0x2B50, 0x2B50},
    {0x2E80, 0x303E},   {0x3041, 0xA4CF}, {0xA960, 0xA97C}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F},   {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F680, 0x1FAFF},
    {0x20000, 0x3FFFD},
}};

constexpr std::array<Range, 21> zero_width{{
    {0x0300, 0x036F},   {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0670, 0x0670},   {0x06D6, 0x06DC}, {0x0900, 0x0902}, {0x093C, 0x093C}, {0x0941, 0x0948},
    {0x094D, 0x094D},   {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF},
    {0x1DC0, 0x1DFF},   {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    {0xE0100, 0xE01EF},
}};

template <std::size_t N>
bool in(const std::array<Range, N>& ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t c, const Range& r) { return c < r.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

std::size_t width_of(char32_t code) {
  if (in(zero_width, code)) return 0;
  return in(wide, code) ? 2 : 1;
}

}  // namespace

std::string safe_line(std::string_view text) { return made_safe(text, ""); }

std::string safe_lines(std::string_view text) { return made_safe(text, "\n\t"); }

std::string safe_json(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    // White space between tokens is the only raw control character that
    // well-formed JSON holds below DEL.
    if (c.valid && c.code >= 0x20 && is_harmful(c.code)) {
      append_unicode_escape(out, c.code);
    } else {
      out += text.substr(0, c.size);
    }
    text.remove_prefix(c.size);
  }
  return out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    out += c.valid ? text.substr(0, c.size) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(c.size);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character c = decode(text);
    width += c.valid ? width_of(c.code) : 1;
    text.remove_prefix(c.size);
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const Character c = decode(text.substr(bytes));
    const std::size_t width = c.valid ? width_of(c.code) : 1;
    if (used + width + 1 > columns) break;
    used += width;
    bytes += c.size;
  }
  return std::string(text.substr(0, bytes)) + "\xE2\x80\xA6";
}

}  // namespace supervisor::cli
