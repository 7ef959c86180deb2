// JSON as text. What belongs to a plugin is never decoded and encoded again:
// that would round large integers and lose the order of keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supervisor::cli {

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 become
/// U+FFFD, and what a terminal would obey is escaped.
std::string json_quote(std::string_view text);

/// The same value as well-formed `text`, on several lines with two blanks per
/// level. Numbers and strings keep their bytes, apart from safe_json().
std::string pretty_json(std::string_view text);

struct JsonMember {
  std::string name;        // Decoded.
  std::string name_token;  // As it stands, with its quotes.
  std::string value;       // As it stands.
};

/// The top-level members of a well-formed JSON object, in their order.
std::vector<JsonMember> json_members(std::string_view object);

/// `object` with member `name` set to `json`, in its old place if it had one;
/// every other byte of names and values stays.
std::string with_member(std::string_view object, std::string_view name, std::string_view json);

/// Writes an object or array one member at a time.
class JsonWriter {
 public:
  /// `kind` is '{' or '['.
  explicit JsonWriter(char kind);
  JsonWriter& raw(std::string_view name, std::string_view json);
  JsonWriter& text(std::string_view name, std::string_view value);
  JsonWriter& boolean(std::string_view name, bool value);
  template <typename Number>
  JsonWriter& number(std::string_view name, Number value) {
    return raw(name, std::to_string(value));
  }
  /// An element of an array.
  JsonWriter& element(std::string_view json);
  std::string finish() &&;

 private:
  char kind_;
  std::string out_;
};

}  // namespace supervisor::cli
