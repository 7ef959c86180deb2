#include "supervisor/cli/json_input.h"

#include <stdexcept>
#include <system_error>

#include "supervisor/sys/file.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::cli {
namespace {

Failure refused(const std::string& option, const std::string& message, const std::string& hint) {
  return make_failure(v1::REASON_INVALID_REQUEST, "command line", option + ": " + message, hint);
}

std::string read_stream(std::istream& in) {
  std::string text;
  char buffer[65536];
  while (in.read(buffer, sizeof(buffer)) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > max_json_input)
      throw std::runtime_error("more than " + std::to_string(max_json_input) + " bytes on stdin");
  }
  return text;
}

}  // namespace

Outcome<std::string> read_json_object(const std::string& option, const std::string& argument,
                                      std::istream& in) {
  std::string text = argument;
  try {
    if (argument == "-") {
      text = read_stream(in);
    } else if (argument.starts_with("@")) {
      text = sys::read_file(argument.substr(1), max_json_input);
    }
  } catch (const std::runtime_error& error) {
    return refused(option, error.what(), "");
  }
  if (const std::string error = sys::json_error(text); !error.empty())
    return refused(option, "this is not JSON: " + error + ".",
                   "Give a JSON object, @FILE, or - to read it from stdin.");
  if (!sys::is_json_object(text))
    return refused(option, "this is JSON, but not an object.",
                   "Give an object: '{\"name\": ...}'.");
  return text;
}

}  // namespace supervisor::cli
