#include "supervisor/sys/random.h"

#include <sys/random.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::sys {

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    filled += static_cast<std::size_t>(
        checked("getrandom", [&] { return ::getrandom(bytes.data() + filled, size - filled, 0); }));
  }
  return bytes;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

}  // namespace supervisor::sys
