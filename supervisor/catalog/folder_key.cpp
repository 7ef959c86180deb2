#include <clocale>
#include <cwctype>

#include "supervisor/catalog/catalog.h"
#include "supervisor/catalog/utf8.h"

namespace supervisor::catalog {
namespace {

// A key must be what the host computes, or the two would keep two rows for one
// plugin; Python lowers the whole of Unicode, so ASCII is not enough. The
// process's own locale is left alone.
class UnicodeLocale {
 public:
  UnicodeLocale() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {}
  ~UnicodeLocale() {
    if (locale_ != nullptr) ::freelocale(locale_);
  }
  UnicodeLocale(const UnicodeLocale&) = delete;
  UnicodeLocale& operator=(const UnicodeLocale&) = delete;

  [[nodiscard]] char32_t lower(char32_t character) const {
    if (locale_ == nullptr) return character;
    return static_cast<char32_t>(::towlower_l(static_cast<wint_t>(character), locale_));
  }
  [[nodiscard]] bool is_letter(char32_t character) const {
    return locale_ != nullptr && ::iswalpha_l(static_cast<wint_t>(character), locale_) != 0;
  }

 private:
  locale_t locale_;
};

// `text` must be valid UTF-8.
std::u32string decode(std::string_view text) {
  std::u32string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      result += byte;
    } else if ((byte & 0xC0) == 0x80) {
      result.back() = (result.back() << 6) | (byte & 0x3F);
    } else {
      result += byte >= 0xF0 ? byte & 0x07 : byte >= 0xE0 ? byte & 0x0F : byte & 0x1F;
    }
  }
  return result;
}

void append(char32_t character, std::string& out) {
  const auto tail = [&](int shift) {
    out += static_cast<char>(0x80 | ((character >> shift) & 0x3F));
  };
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xC0 | (character >> 6));
    tail(0);
  } else if (character < 0x10000) {
    out += static_cast<char>(0xE0 | (character >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (character >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

void append_lower(const std::u32string& name, std::size_t i, const UnicodeLocale& locale,
                  std::string& out) {
  constexpr char32_t capital_sigma = 0x3A3;
  constexpr char32_t dotted_capital_i = 0x130;
  const char32_t character = name[i];
  if (character == U' ') {
    out += '_';
  } else if (character == dotted_capital_i) {
    // The one character whose lower case is two: i and a combining dot.
    append(U'i', out);
    append(0x307, out);
  } else if (character == capital_sigma && i > 0 && locale.is_letter(name[i - 1]) &&
             (i + 1 == name.size() || !locale.is_letter(name[i + 1]))) {
    append(0x3C2, out);  // Final sigma, as str.lower() has it.
  } else {
    append(locale.lower(character), out);
  }
}

}  // namespace

std::string key_of_folder(std::string_view folder_name) {
  std::string key;
  bool ascii = true;
  for (const char c : folder_name) {
    ascii = ascii && static_cast<unsigned char>(c) < 0x80;
    key += c == ' ' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (ascii || !is_utf8(folder_name)) return key;
  const UnicodeLocale locale;
  const auto name = decode(folder_name);
  key.clear();
  for (std::size_t i = 0; i < name.size(); ++i) append_lower(name, i, locale, key);
  return key;
}

}  // namespace supervisor::catalog
