#include "supervisor/logs/printable_text.h"

#include <algorithm>

namespace supervisor::logs {
namespace {

// Length of the UTF-8 character at the head of `text`, 0 when it is not valid
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned code = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    code = lead & 0x1Fu;
  } else if ((lead & 0xF0) == 0xE0) {
    length = 3;
    code = lead & 0x0Fu;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    code = lead & 0x07u;
  } else {
    return 0;
  }
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  if (length == 3 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return 0;
  return length;
}

// Of three bytes: marks of direction, separators of lines, embeddings,
// overrides, isolates, the byte order mark. Two bytes: U+061C.
unsigned reordering(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 2) return byte(0) == 0xD8 && byte(1) == 0x9C ? 0x061C : 0;
  if (character.size() != 3) return 0;
  const unsigned code = (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
  const bool harmful = code == 0x200E || code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
                       (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
  return harmful ? code : 0;
}

}  // namespace

std::string printable_text(std::string_view raw, std::size_t limit) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string text;
  text.reserve(std::min(raw.size(), limit) + 32);
  std::size_t at = 0;
  while (at < raw.size() && text.size() < limit) {
    const auto c = static_cast<unsigned char>(raw[at]);
    const std::size_t length = utf8_length(raw.substr(at));
    if (length == 0) {
      text += "\xEF\xBF\xBD";
      ++at;
    } else if ((c < 0x20 && c != '\t') || c == 0x7F) {
      text += {'\\', 'x', hex[c >> 4], hex[c & 15]};
      ++at;
    } else if (length == 2 && c == 0xC2 && static_cast<unsigned char>(raw[at + 1]) < 0xA0) {
      // C1 controls: some terminals take U+009B for ESC [.
      const auto second = static_cast<unsigned char>(raw[at + 1]);
      text += {'\\', 'x', hex[second >> 4], hex[second & 15]};
      at += 2;
    } else if (const unsigned code = reordering(raw.substr(at, length)); code != 0) {
      text +=
          {'\\', 'u', hex[code >> 12], hex[code >> 8 & 15], hex[code >> 4 & 15], hex[code & 15]};
      at += length;
    } else {
      text.append(raw, at, length);
      at += length;
    }
  }
  if (at < raw.size()) text += "... (cut, " + std::to_string(raw.size()) + " bytes)";
  return text;
}

std::string printable_lines(std::string_view raw) {
  std::string text;
  while (!raw.empty()) {
    const auto end = std::min(raw.find('\n'), raw.size());
    if (!text.empty()) text += '\n';
    text += printable_text(raw.substr(0, end));
    raw.remove_prefix(std::min(end + 1, raw.size()));
  }
  return text;
}

std::string printable_name(std::string text, std::size_t limit) {
  const bool is_plain =
      text.size() <= limit &&
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
  return is_plain ? std::move(text) : printable_text(text, limit);
}

}  // namespace supervisor::logs
