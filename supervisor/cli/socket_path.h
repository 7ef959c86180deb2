// Which socket the supervisor listens on, when the command line does not say.
#pragma once

#include <filesystem>
#include <string>

namespace supervisor::cli {

inline constexpr const char* socket_variable = "PLUGIN_SUPERVISOR_SOCKET";
inline constexpr const char* local_socket = ".state/run/supervisor.sock";
inline constexpr const char* system_socket = "/run/plugin-supervisor/supervisor.sock";

/// `option`, else `environment`, else the socket of deploy/up below `here` if
/// there is one, else the system's.
std::filesystem::path choose_socket(const std::string& option, const char* environment,
                                    const std::filesystem::path& here);

/// The gRPC address of a Unix socket. gRPC reads it as a URI, so characters
/// with a meaning there are escaped.
std::string grpc_address(const std::filesystem::path& socket);

}  // namespace supervisor::cli
