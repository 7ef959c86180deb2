#include "supervisor/cli/json_text.h"

#include <algorithm>
#include <boost/json.hpp>

#include "supervisor/cli/safe_text.h"

namespace supervisor::cli {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The end of the string token that begins at `at`.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// The end of the value that begins at `at`.
std::size_t value_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = string_end(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']' || c == ',') {
      if (depth == 0) return at;
      if (c != ',' && --depth == 0) return at + 1;
    }
    if (depth == 0 && is_space(c)) return at;
    ++at;
  }
  return at;
}

std::string decoded(std::string_view quoted) {
  if (quoted.find('\\') == std::string_view::npos)
    return std::string(quoted.substr(1, quoted.size() - 2));
  boost::json::error_code error;
  const auto value = boost::json::parse({quoted.data(), quoted.size()}, error);
  // A lone surrogate escape is well formed for Python, though not decodable.
  if (error || !value.is_string()) return std::string(quoted.substr(1, quoted.size() - 2));
  return {value.as_string().data(), value.as_string().size()};
}

}  // namespace

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  // Only what safe_json() does not: it expects well-formed JSON.
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20) {
      constexpr std::string_view hex = "0123456789abcdef";
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
  return safe_json(valid_utf8(out));
}

std::string pretty_json(std::string_view text) {
  std::string out;
  std::size_t depth = 0;
  const auto new_line = [&] {
    out += '\n';
    out.append(2 * depth, ' ');
  };
  for (std::size_t at = skip_space(text, 0); at < text.size(); at = skip_space(text, at)) {
    const char c = text[at];
    if (c == '{' || c == '[') {
      const std::size_t next = skip_space(text, at + 1);
      if (next < text.size() && (text[next] == '}' || text[next] == ']')) {
        out += c;
        out += text[next];
        at = next + 1;
        continue;
      }
      out += c;
      ++depth;
      new_line();
      ++at;
    } else if (c == '}' || c == ']') {
      --depth;
      new_line();
      out += c;
      ++at;
    } else if (c == ',') {
      out += c;
      new_line();
      ++at;
    } else if (c == ':') {
      out += ": ";
      ++at;
    } else {
      const std::size_t end =
          c == '"' ? string_end(text, at)
                   : std::min(text.find_first_of(" \t\r\n,:{}[]\"", at), text.size());
      out += text.substr(at, end - at);
      at = end;
    }
  }
  return safe_json(out);
}

std::vector<JsonMember> json_members(std::string_view object) {
  std::vector<JsonMember> members;
  std::size_t at = skip_space(object, 0);
  if (at >= object.size() || object[at] != '{') return members;
  at = skip_space(object, at + 1);
  while (at < object.size() && object[at] == '"') {
    const std::size_t name_end = string_end(object, at);
    const std::string_view token = object.substr(at, name_end - at);
    at = skip_space(object, skip_space(object, name_end) + 1);  // Past the colon.
    const std::size_t end = value_end(object, at);
    members.push_back(
        {decoded(token), std::string(token), std::string(object.substr(at, end - at))});
    at = skip_space(object, end);
    if (at < object.size() && object[at] == ',') at = skip_space(object, at + 1);
  }
  return members;
}

std::string with_member(std::string_view object, std::string_view name, std::string_view json) {
  std::string out = "{";
  const auto append = [&out](std::string_view token, std::string_view value) {
    if (out.size() > 1) out += ", ";
    out += token;
    out += ": ";
    out += value;
  };
  bool placed = false;
  for (const JsonMember& member : json_members(object)) {
    if (member.name != name) {
      append(member.name_token, member.value);
    } else if (!placed) {
      append(member.name_token, json);
      placed = true;
    }
  }
  if (!placed) append(json_quote(name), json);
  return out + "}";
}

JsonWriter::JsonWriter(char kind) : kind_(kind), out_(1, kind) {}

JsonWriter& JsonWriter::element(std::string_view json) {
  if (out_.size() > 1) out_ += ", ";
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view name, std::string_view json) {
  element(json_quote(name));
  out_ += ": ";
  out_ += json;
  return *this;
}

JsonWriter& JsonWriter::text(std::string_view name, std::string_view value) {
  return raw(name, json_quote(value));
}

JsonWriter& JsonWriter::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}

std::string JsonWriter::finish() && {
  out_ += kind_ == '{' ? '}' : ']';
  return std::move(out_);
}

}  // namespace supervisor::cli
