// The command line and environment of plugin-gateway.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "api_gateway/limits.h"
#include "supervisor/rpc/mutual_tls.h"

namespace gateway {

struct Options {
  std::string listen = "127.0.0.1:9195";
  std::string supervisor_socket;
  std::string supervisor_address;  // HOST:PORT, instead of the socket.
  supervisor::rpc::TlsFiles tls;   // For the address.
  std::vector<std::string> token_files;
  std::string ready_file;  // Empty = none.
  Limits limits;
  std::chrono::milliseconds request_timeout{600'000};
  std::chrono::milliseconds drain_timeout{30'000};
  unsigned threads = 1;
  bool metrics_open = false;  // /metrics needs no token.
  std::string log_level = "info";
};

struct HostAndPort {
  std::string host;
  std::string port;
};

/// "127.0.0.1:9195", "[::1]:0", "localhost:80". Nothing when it is neither.
std::optional<HostAndPort> split_listen(const std::string& listen);

/// Either the options, or what the process exits with: --help and --version
/// have then been printed on stdout, or one line that says what is wrong on
/// stderr.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_code = 0;
};
ParsedOptions parse_options(int argc, const char* const* argv);

/// The token in a file, without the white space around it. Throws
/// std::runtime_error naming the file when it cannot be read or holds none.
std::string read_token(const std::string& path);

}  // namespace gateway
