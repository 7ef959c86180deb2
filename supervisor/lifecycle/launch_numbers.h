// Names the directories of launches, each once in the life of a supervisor. On
// the core thread.
#pragma once

#include <cstdint>

namespace supervisor::lifecycle {

class LaunchNumbers {
 public:
  /// `first`: that no directory which was left behind has.
  explicit LaunchNumbers(std::uint64_t first) : next_(first) {}
  [[nodiscard]] std::uint64_t next() { return next_++; }

 private:
  std::uint64_t next_;
};

}  // namespace supervisor::lifecycle
