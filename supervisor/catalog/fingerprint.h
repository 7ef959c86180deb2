// A short text that changes when what was added to it changes. FNV-1a, 64 bit:
// it notices changes, it does not resist someone who wants a collision (whoever
// can write the files can also run code as the plugin).
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace supervisor::catalog {

class Fingerprint {
 public:
  void add(std::string_view bytes);
  void add(std::uint64_t number);
  /// What changes when a file is written, replaced or given other permissions:
  /// device, inode, type and mode, size, and both times. The change time is
  /// there because tools can restore the modification time.
  void add(const struct stat& status);

  [[nodiscard]] std::string hex() const;

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace supervisor::catalog
