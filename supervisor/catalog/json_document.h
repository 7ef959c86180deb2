// JSON as a document, for the metadata that is looked into. Numbers come out
// as they went in: Boost.JSON 1.81 reads one in ten doubles of 17 digits a bit
// off, and writes 5.5 as "5.5E0". Pure functions, callable from any thread.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace supervisor::catalog {

struct ParsedDocument {
  std::optional<boost::json::value> value;
  /// Why there is no value: "syntax error at byte 17".
  std::string error;
  bool too_deep = false;  // Nested beyond sys::max_json_depth.
};

/// Integers become int64 or uint64 where they fit, all else the nearest
/// double; a number beyond a double's range is an error.
ParsedDocument parse_document(std::string_view text);

/// Compact; doubles in the shortest form that reads back the same.
std::string write_document(const boost::json::value& value);

}  // namespace supervisor::catalog
