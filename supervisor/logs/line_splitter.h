// Cuts a byte stream into lines, in bounded memory: of a line that never ends
// only the head is kept, and how long it was. Bytes as they come: nothing here
// is printable yet.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace supervisor::logs {

/// One line as it was printed, without its end.
struct RawLine {
  std::string_view head;   // At most max_line_bytes.
  std::size_t length = 0;  // Of the whole line.
};

/// The printable text of a line; one that was cut says so.
std::string printable_line(const RawLine& line);

class LineSplitter {
 public:
  explicit LineSplitter(std::function<void(const RawLine&)> line) : line_(std::move(line)) {}

  /// Calls `line` with each line that `bytes` completes.
  void feed(std::string_view bytes);

  /// The stream ended: what is left is a line.
  void finish();

 private:
  void emit();

  std::function<void(const RawLine&)> line_;
  std::string head_;
  std::size_t length_ = 0;
};

}  // namespace supervisor::logs
