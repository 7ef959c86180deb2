#include "supervisor/logs/line_splitter.h"

#include <algorithm>

#include "supervisor/logs/printable_text.h"

namespace supervisor::logs {

std::string printable_line(const RawLine& line) {
  std::string text = printable_text(line.head);
  if (line.length > line.head.size())
    text += "... (cut, " + std::to_string(line.length) + " bytes)";
  return text;
}

void LineSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const auto piece = bytes.substr(0, newline);
    const std::size_t room = head_.size() < max_line_bytes ? max_line_bytes - head_.size() : 0;
    head_.append(piece.substr(0, room));
    length_ += piece.size();
    if (newline == std::string_view::npos) return;
    emit();
    bytes.remove_prefix(newline + 1);
  }
}

void LineSplitter::finish() {
  if (length_ > 0) emit();
}

void LineSplitter::emit() {
  if (!head_.empty() && head_.back() == '\r' && length_ == head_.size()) {
    head_.pop_back();
    --length_;
  }
  line_({head_, length_});
  head_.clear();
  length_ = 0;
}

}  // namespace supervisor::logs
