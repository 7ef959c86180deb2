#include "api_gateway/json_text.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

namespace gateway {

void append_json_string(std::string& out, std::string_view text) {
  const bool plain = std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
  });
  if (plain) {
    out.append("\"").append(text).append("\"");
  } else {
    out += boost::json::serialize(boost::json::string_view(text.data(), text.size()));
  }
}

std::string& ObjectWriter::member(std::string_view name) {
  // Put together first: a list of a thousand plugins has fifty thousand names.
  std::array<char, 64> text;
  if (name.size() + 4 > text.size()) {
    out_.append(first_ ? "\"" : ",\"").append(name).append("\":");
  } else {
    char* end = text.data();
    if (!first_) *end++ = ',';
    *end++ = '"';
    end = std::copy(name.begin(), name.end(), end);
    *end++ = '"';
    *end++ = ':';
    out_.append(text.data(), end);
  }
  first_ = false;
  return out_;
}

void ObjectWriter::raw(std::string_view name, std::string_view json, std::string_view otherwise) {
  member(name) += json.empty() ? otherwise : json;
}

void ObjectWriter::text(std::string_view name, std::string_view value) {
  append_json_string(member(name), value);
}

void ObjectWriter::text_or_null(std::string_view name, std::string_view value) {
  if (value.empty()) {
    null(name);
  } else {
    text(name, value);
  }
}

void ObjectWriter::real(std::string_view name, double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                 std::isfinite(value) ? value : 0.0)
                       .ptr;
  member(name).append(digits.data(), end);
}

}  // namespace gateway
