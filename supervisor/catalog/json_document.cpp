#include "supervisor/catalog/json_document.h"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>

#include "supervisor/sys/json_slice.h"

namespace supervisor::catalog {
namespace {

namespace json = boost::json;

// Builds values like Boost.JSON's own handler, but reads doubles itself.
class ExactHandler {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  bool on_document_begin(json::error_code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t size, json::error_code&) {
    stack_.push_object(size);
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t size, json::error_code&) {
    stack_.push_array(size);
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_chars(text);
    return true;
  }
  bool on_key(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_key(text);
    return true;
  }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_chars(text);
    return true;
  }
  bool on_string(json::string_view text, std::size_t, json::error_code&) {
    stack_.push_string(text);
    return true;
  }
  bool on_number_part(json::string_view text, json::error_code&) {
    number_.append(text.data(), text.size());
    return true;
  }
  bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
    number_.clear();
    stack_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
    number_.clear();
    stack_.push_uint64(number);
    return true;
  }
  bool on_double(double, json::string_view text, json::error_code& error) {
    number_.append(text.data(), text.size());
    double number = 0;
    const auto end = number_.data() + number_.size();
    const auto read = std::from_chars(number_.data(), end, number);
    if (read.ptr != end || (read.ec != std::errc{} && !is_tiny(number_))) {
      error = json::error::exponent_overflow;
      return false;
    }
    number_.clear();
    stack_.push_double(number);
    return true;
  }
  bool on_bool(bool value, json::error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(json::error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  json::value release() { return stack_.release(); }

 private:
  // from_chars calls 1e-400 out of range too; it is as good as zero.
  static bool is_tiny(const std::string& text) {
    return text.find("e-") != std::string::npos || text.find("E-") != std::string::npos;
  }

  json::value_stack stack_;
  std::string number_;
};

void write(const json::value& value, std::string& out);

void write_double(double number, std::string& out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  const std::string_view written(text, static_cast<std::size_t>(end - text));
  out += written;
  // Stays a float when Python reads it.
  if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void write_object(const json::object& object, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& member : object) {
    if (!first) out += ',';
    first = false;
    out += json::serialize(json::string_view(member.key()));
    out += ':';
    write(member.value(), out);
  }
  out += '}';
}

void write(const json::value& value, std::string& out) {
  switch (value.kind()) {
    case json::kind::object:
      write_object(value.get_object(), out);
      return;
    case json::kind::array: {
      out += '[';
      bool first = true;
      for (const auto& element : value.get_array()) {
        if (!first) out += ',';
        first = false;
        write(element, out);
      }
      out += ']';
      return;
    }
    case json::kind::double_:
      write_double(value.get_double(), out);
      return;
    default:
      out += json::serialize(value);
  }
}

}  // namespace

ParsedDocument parse_document(std::string_view text) {
  json::parse_options options;
  options.max_depth = sys::max_json_depth;
  json::basic_parser<ExactHandler> parser(options);
  json::error_code error;
  std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error) {
    const auto rest = text.find_first_not_of(" \t\r\n", used);
    if (rest != std::string_view::npos) {
      error = json::error::extra_data;
      used = rest;
    }
  }
  if (!error && !parser.done()) error = json::error::incomplete;
  if (!error) return {.value = parser.handler().release()};
  return {.error = error.message() + " at byte " + std::to_string(used),
          .too_deep = error == json::error::too_deep};
}

std::string write_document(const json::value& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace supervisor::catalog
