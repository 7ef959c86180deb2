#include "supervisor/catalog/fingerprint.h"

namespace supervisor::catalog {

void Fingerprint::add(std::string_view bytes) {
  for (const char c : bytes) {
    hash_ ^= static_cast<unsigned char>(c);
    hash_ *= 0x100000001b3u;
  }
  // A separator, so that "ab" + "c" differs from "a" + "bc".
  add(static_cast<std::uint64_t>(bytes.size()));
}

void Fingerprint::add(std::uint64_t number) {
  for (int i = 0; i < 8; ++i) {
    hash_ ^= number & 0xFF;
    hash_ *= 0x100000001b3u;
    number >>= 8;
  }
}

void Fingerprint::add(const struct stat& status) {
  const auto number = [this](auto value) { add(static_cast<std::uint64_t>(value)); };
  number(status.st_dev);
  number(status.st_ino);
  number(status.st_mode);
  number(status.st_size);
  number(status.st_mtim.tv_sec);
  number(status.st_mtim.tv_nsec);
  number(status.st_ctim.tv_sec);
  number(status.st_ctim.tv_nsec);
}

std::string Fingerprint::hex() const {
  constexpr char digits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (int i = 0; i < 16; ++i)
    text[static_cast<std::size_t>(i)] = digits[(hash_ >> (60 - 4 * i)) & 15];
  return text;
}

}  // namespace supervisor::catalog
