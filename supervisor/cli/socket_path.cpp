#include "supervisor/cli/socket_path.h"

#include <system_error>

namespace supervisor::cli {

std::filesystem::path choose_socket(const std::string& option, const char* environment,
                                    const std::filesystem::path& here) {
  if (!option.empty()) return option;
  if (environment != nullptr && *environment != '\0') return environment;
  std::error_code error;
  std::filesystem::path local = here / local_socket;
  if (std::filesystem::is_socket(local, error)) return local;
  return system_socket;
}

std::string grpc_address(const std::filesystem::path& socket) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string address = "unix:";
  for (const char c : socket.native()) {
    if (plain.find(c) != std::string_view::npos) {
      address += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    address += '%';
    address += hex[byte >> 4];
    address += hex[byte & 15];
  }
  return address;
}

}  // namespace supervisor::cli
