#include "supervisor/catalog/utf8.h"

namespace supervisor::catalog {
namespace {

unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// Bytes of the well-formed character at `at`, or 0. The bounds of the second
// byte exclude overlong forms, surrogates and what lies beyond U+10FFFF
// (Unicode 15, table 3-7).
std::size_t character_size(std::string_view text, std::size_t at) {
  const unsigned char lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if ((lead & 0xF0) == 0xE0) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  }
  if (size == 0 || at + size > text.size()) return 0;
  if (byte_at(text, at + 1) < low || byte_at(text, at + 1) > high) return 0;
  for (std::size_t i = at + 2; i < at + size; ++i)
    if ((byte_at(text, i) & 0xC0) != 0x80) return 0;
  return size;
}

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7F; }

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto size = character_size(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

std::size_t utf8_length(std::string_view text) {
  std::size_t length = 0;
  for (const char c : text) length += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return length;
}

std::string_view utf8_prefix(std::string_view text, std::size_t count) {
  std::size_t end = 0;
  while (end < text.size()) {
    if ((byte_at(text, end) & 0xC0) != 0x80 && count-- == 0) break;
    ++end;
  }
  return text.substr(0, end);
}

std::string escape_bytes(std::string_view text, std::string_view mark) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto size = character_size(text, at);
    if (size == 0 || is_control(byte_at(text, at))) {
      result += mark;
      result += digits[byte_at(text, at) >> 4];
      result += digits[byte_at(text, at) & 15];
      ++at;
    } else {
      result += text.substr(at, size);
      at += size;
    }
  }
  return result;
}

}  // namespace supervisor::catalog
