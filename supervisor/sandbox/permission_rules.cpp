#include "supervisor/sandbox/permission_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace supervisor::sandbox {
namespace {

constexpr std::size_t longest_text = 4096;
constexpr std::size_t longest_host = 253;  // RFC 1035, as text.
constexpr std::size_t longest_label = 63;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return is_letter(c) || is_digit(c) || c == '_'; }

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool is_address(int family, std::string_view text) {
  in6_addr address{};
  return ::inet_pton(family, std::string(text).c_str(), &address) == 1;
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > longest_host) return false;
  while (!text.empty()) {
    const auto label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > longest_label || label.front() == '-' ||
        label.back() == '-' || !std::all_of(label.begin(), label.end(), [](char c) {
          return is_name_character(c) || c == '-';
        }))
      return false;
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  return true;
}

bool is_destination(std::string_view text) {
  if (text == "*" || is_port(text) || is_address(AF_INET6, text)) return true;
  auto host = text;
  if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    if (!is_port(text.substr(colon + 1))) return false;
    host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
      return is_address(AF_INET6, host.substr(1, host.size() - 2));
  }
  return is_host_name(host);
}

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
  if (name == "network.outbound" && !is_destination(value))
    return "must be \"*\", a port, a host or an address, or one of these with \":port\"";
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
