#include "supervisor/sandbox/permission_rules.h"

#include <algorithm>
#include <filesystem>

#include "supervisor/sandbox/destination.h"

namespace supervisor::sandbox {
namespace {

constexpr std::size_t longest_text = 4096;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

// Written one way only, so that what is granted can be compared.
std::string mistake_in_path(std::string_view text) {
  if (!text.starts_with('/')) return "must be an absolute path";
  const std::filesystem::path path{std::string(text)};
  if (text != "/" && (path.lexically_normal() != path || text.ends_with('/')))
    return "must be written without \".\", \"..\", double slashes or a slash at the end";
  if (text == "/") return "must be less than the whole file system";
  for (const std::string_view kernel : {"/proc", "/sys", "/dev"}) {
    if (text == kernel || text.starts_with(std::string(kernel) + "/"))
      return "must not be in " + std::string(kernel) + ", which belongs to the kernel";
  }
  return "";
}

std::string mistake_in_program(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return mistake_in_path(text);
  if (text == "." || text == "..") return "must be the name of a program";
  return "";
}

bool is_host_part(std::string_view text) {
  constexpr std::string_view settings = "settings:";
  if (text.starts_with(settings)) return text.size() > settings.size();
  return text == "orm" || text == "redis" || text == "celery";
}

}  // namespace

std::string mistake_in(std::string_view name, std::string_view value) {
  if (value.empty()) return "must not be empty";
  if (value.size() > longest_text) return "is too long";
  if (std::any_of(value.begin(), value.end(),
                  [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }))
    return "must not hold control characters";
  if (name == "network.outbound" && !parse_destination(value))
    return "must be \"*\", a port, a host, an address or a network, or one of these with \":port\"";
  if (name == "filesystem.read" || name == "filesystem.write") return mistake_in_path(value);
  if (name == "exec") return mistake_in_program(value);
  if (name == "host" && !is_host_part(value))
    return R"(must be "orm", "redis", "celery" or "settings:" and a plugin's key)";
  if (name == "devices" && value != "dri" && value != "nvidia")
    return R"(must be "dri" or "nvidia")";
  if (name == "environment" &&
      (is_digit(value.front()) || !std::all_of(value.begin(), value.end(), is_name_character)))
    return "must be the name of a variable";
  if (name == "runtime.python") return mistake_in_path(value);
  return "";
}

}  // namespace supervisor::sandbox
