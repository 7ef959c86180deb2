// JSON written by appending. What belongs to a plugin is appended as the bytes
// it came in; only texts of ours are escaped.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace gateway {

/// Appends `text` (UTF-8) as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);

/// Writes one object into `out`: braces, commas and names. The object is
/// complete when the writer goes out of scope.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  ~ObjectWriter() { out_ += '}'; }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  /// Writes the name, and returns the text to append the value to.
  std::string& member(std::string_view name);

  /// `json` as it is; `otherwise` when it is empty.
  void raw(std::string_view name, std::string_view json, std::string_view otherwise = "null");
  void text(std::string_view name, std::string_view value);
  /// null when `value` is empty.
  void text_or_null(std::string_view name, std::string_view value);
  void boolean(std::string_view name, bool value) { raw(name, value ? "true" : "false"); }
  void null(std::string_view name) { raw(name, "null"); }
  void real(std::string_view name, double value);
  template <std::integral Integer>
  void integer(std::string_view name, Integer value) {
    member(name) += std::to_string(value);
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace gateway
