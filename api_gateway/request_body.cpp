#include "api_gateway/request_body.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>

#include "supervisor/sys/json_slice.h"

namespace gateway {
namespace {

using supervisor::Failure;
using supervisor::Outcome;
namespace sys = supervisor::sys;

constexpr std::string_view blanks = " \t\r\n\f\v";

Failure invalid(std::string message) {
  return supervisor::make_failure(supervisor::v1::REASON_INVALID_REQUEST, "parse",
                                  std::move(message));
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// The body when it is an object. No body at all counts as {}, as in the host.
Outcome<std::string_view> object_of(std::string_view body) {
  if (trimmed(body).empty()) return std::string_view("{}");
  const std::string error = sys::json_error(body);
  if (!error.empty()) return invalid("The body is not JSON: " + error + ".");
  if (!sys::is_json_object(body)) return invalid("The body must be a JSON object.");
  return body;
}

// `slice` is a JSON string that json_error() has passed.
std::string decoded(std::string_view slice) {
  const auto value = boost::json::parse(boost::json::string_view(slice.data(), slice.size()));
  return std::string(value.as_string());
}

// What Python takes for false: the host's API treats it like an absent value.
bool is_empty_value(std::string_view slice) {
  if (slice == "null" || slice == "false" || slice == "\"\"") return true;
  if (slice.starts_with('[')) return trimmed(slice.substr(1, slice.size() - 2)).empty();
  return slice == "0" || slice == "-0" || slice == "0.0" || slice == "-0.0";
}

Outcome<CallBody> parse_call(std::string_view body, std::string_view id_name) {
  const auto object = object_of(body);
  if (object.has_error()) return object.error();
  std::string quoted = "'";
  quoted.append(id_name).append("'");

  const auto id = sys::json_member(*object, id_name);
  if (!id || is_empty_value(*id) || *id == "{}") return invalid("Missing " + quoted);
  if (!id->starts_with('"')) return invalid(quoted + " must be a string.");

  CallBody call{decoded(*id), {}};
  const auto params = sys::json_member(*object, "params");
  if (params && !is_empty_value(*params)) {
    if (!sys::is_json_object(*params)) return invalid("'params' must be a JSON object.");
    call.params = *params;
  }
  return call;
}

bool is_one_of(std::string_view word, const std::array<std::string_view, 5>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Outcome<CallBody> parse_run(std::string_view body) { return parse_call(body, "action"); }

Outcome<CallBody> parse_resource(std::string_view body) { return parse_call(body, "resource"); }

Outcome<EnableBody> parse_enabled(std::string_view body) {
  static constexpr std::array<std::string_view, 5> yes{"true", "1", "yes", "y", "on"};
  static constexpr std::array<std::string_view, 5> no{"false", "0", "no", "n", "off"};
  const auto object = object_of(body);
  if (object.has_error()) return object.error();
  const auto value = sys::json_member(*object, "enabled");
  if (!value || *value == "null") return invalid("Missing 'enabled' boolean");
  EnableBody wish;
  const auto grant = sys::json_member(*object, "grant");
  if (grant && *grant != "null") {
    if (*grant != "\"asked\"") return invalid("'grant' can only be \"asked\"");
    wish.grant_asked = true;
  }
  const std::string word =
      value->starts_with('"') ? lowered(trimmed(decoded(*value))) : std::string(*value);
  wish.enabled = is_one_of(word, yes);
  if (!wish.enabled && !is_one_of(word, no) && word != "-0")
    return invalid("Invalid 'enabled' boolean");
  return wish;
}

Outcome<std::string_view> parse_settings(std::string_view body) {
  const auto object = object_of(body);
  if (object.has_error()) return object.error();
  const auto settings = sys::json_member(*object, "settings");
  // The host would store {} here; a mistyped name must not erase settings.
  if (!settings) return invalid("Missing 'settings'");
  if (!sys::is_json_object(*settings)) return invalid("'settings' must be a JSON object.");
  return *settings;
}

bool is_json_type(std::string_view content_type) {
  const std::string type = lowered(trimmed(content_type.substr(0, content_type.find(';'))));
  return type.empty() || type == "application/json" ||
         (type.starts_with("application/") && type.ends_with("+json"));
}

}  // namespace gateway
