// Cuts a byte stream into lines, in bounded memory: of a line that never ends
// only the head is kept, and how long it was.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace supervisor::logs {

class LineSplitter {
 public:
  explicit LineSplitter(std::function<void(std::string)> line) : line_(std::move(line)) {}

  /// Calls `line` with the printable text of each line that `bytes` completes.
  void feed(std::string_view bytes);

  /// The stream ended: what is left is a line.
  void finish();

 private:
  void emit();

  std::function<void(std::string)> line_;
  std::string head_;
  std::size_t length_ = 0;
};

}  // namespace supervisor::logs
