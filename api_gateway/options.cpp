#include "api_gateway/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "supervisor/sys/file.h"

namespace gateway {
namespace {

constexpr int usage_error = 2;

// Seconds by default; "500ms", "30s", "5m" and "1h" too.
void add_duration(CLI::App& app, const std::string& flag, const std::string& environment,
                  std::chrono::milliseconds& value, const std::string& text) {
  app.add_option_function<double>(
         flag,
         [&value](const double& seconds) {
           value = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000 + 0.5));
         },
         text)
      ->envname(environment)
      ->default_str(std::to_string(value.count() / 1000) + "s")
      ->type_name("TIME")
      ->transform(CLI::AsNumberWithUnit(
          std::map<std::string, double>{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}}))
      ->check(CLI::Range(0.001, 86400.0));
}

void add_size(CLI::App& app, const std::string& flag, const std::string& environment,
              std::size_t& value, std::size_t least, std::size_t most, const std::string& text) {
  app.add_option(flag, value, text)
      ->envname(environment)
      ->capture_default_str()
      ->type_name("BYTES")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(least, most));
}

}  // namespace

std::optional<HostAndPort> split_listen(const std::string& listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  HostAndPort parts{listen.substr(0, colon), listen.substr(colon + 1)};
  if (parts.host.starts_with('[')) {
    if (!parts.host.ends_with(']')) return std::nullopt;
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  } else if (parts.host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  const bool digits = !parts.port.empty() && parts.port.size() <= 5 &&
                      std::all_of(parts.port.begin(), parts.port.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  if (parts.host.empty() || !digits || std::stoul(parts.port) > 65535) return std::nullopt;
  return parts;
}

ParsedOptions parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app{"Serves the plugins' REST API over HTTP, in front of plugin-supervisor."};
  app.name("plugin-gateway");
  app.set_version_flag("--version", "plugin-gateway " PLUGIN_SUPERVISOR_VERSION);
  app.add_option("--listen", options.listen, "Address to serve on; port 0 takes a free one")
      ->envname("PLUGIN_GATEWAY_LISTEN")
      ->capture_default_str()
      ->type_name("HOST:PORT")
      ->check([](const std::string& text) {
        return split_listen(text) ? std::string() : "'" + text + "' is not HOST:PORT";
      });
  app.add_option("--supervisor-socket", options.supervisor_socket,
                 "Unix socket of plugin-supervisor; required, unless --supervisor is given")
      ->envname("PLUGIN_GATEWAY_SUPERVISOR_SOCKET")
      ->type_name("PATH");
  app.add_option("--supervisor", options.supervisor_address,
                 "Address of a plugin-supervisor that listens on TCP, instead of the socket; with "
                 "--tls-cert, --tls-key and --tls-ca")
      ->envname("PLUGIN_GATEWAY_SUPERVISOR")
      ->type_name("HOST:PORT")
      ->check([](const std::string& text) {
        return split_listen(text) ? std::string() : "'" + text + "' is not HOST:PORT";
      });
  app.add_option("--tls-cert", options.tls.certificate,
                 "Certificate to show the supervisor, in PEM form")
      ->envname("PLUGIN_GATEWAY_TLS_CERT")
      ->type_name("PATH");
  app.add_option("--tls-key", options.tls.key, "Key of that certificate")
      ->envname("PLUGIN_GATEWAY_TLS_KEY")
      ->type_name("PATH");
  app.add_option("--tls-ca", options.tls.authorities,
                 "Certificates by which the supervisor's own must be signed")
      ->envname("PLUGIN_GATEWAY_TLS_CA")
      ->type_name("PATH");
  app.add_option("--token-file", options.token_files,
                 "File with one bearer token; required, may be given several times")
      ->envname("PLUGIN_GATEWAY_TOKEN_FILE")
      ->type_name("PATH")
      ->allow_extra_args(false);
  app.add_option("--ready-file", options.ready_file,
                 "File to write the ready line to as well, once connections are accepted")
      ->envname("PLUGIN_GATEWAY_READY_FILE")
      ->type_name("PATH");
  add_size(app, "--max-body-bytes", "PLUGIN_GATEWAY_MAX_BODY_BYTES", options.limits.body_bytes, 0,
           std::size_t{1} << 30, "Largest request body; a larger one is answered 413");
  add_size(app, "--max-header-bytes", "PLUGIN_GATEWAY_MAX_HEADER_BYTES",
           options.limits.header_bytes, 256, std::size_t{1} << 20,
           "Largest request head; a larger one is answered 431");
  add_duration(app, "--header-timeout", "PLUGIN_GATEWAY_HEADER_TIMEOUT", options.limits.header_time,
               "For a request's head to arrive; a slower one is answered 408");
  add_duration(app, "--idle-timeout", "PLUGIN_GATEWAY_IDLE_TIMEOUT", options.limits.idle_time,
               "For a connection between requests, and for a stalled body or answer");
  add_duration(app, "--request-timeout", "PLUGIN_GATEWAY_REQUEST_TIMEOUT", options.request_timeout,
               "For the supervisor's answer to any request; the supervisor may set less");
  add_duration(app, "--drain-timeout", "PLUGIN_GATEWAY_DRAIN_TIMEOUT", options.drain_timeout,
               "For requests in flight to finish after SIGTERM or SIGINT");
  app.add_option("--max-connections", options.limits.connections, "Connections at one time")
      ->envname("PLUGIN_GATEWAY_MAX_CONNECTIONS")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--threads", options.threads, "Threads that serve connections")
      ->envname("PLUGIN_GATEWAY_THREADS")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_flag("--metrics-open", options.metrics_open,
               "Let /metrics be read without a token, for scrapers that cannot send one")
      ->envname("PLUGIN_GATEWAY_METRICS_OPEN");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn, error or off")
      ->envname("PLUGIN_GATEWAY_LOG_LEVEL")
      ->capture_default_str()
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error", "off"}));
  try {
    app.parse(argc, argv);
    // Checked here and not by CLI11, which would tell of these before it tells
    // of a flag that is misspelt.
    const bool over_tcp = !options.supervisor_address.empty();
    if (!over_tcp && options.supervisor_socket.empty())
      throw CLI::RequiredError("--supervisor-socket");
    if (over_tcp && !options.supervisor_socket.empty())
      throw CLI::ValidationError("--supervisor", "it excludes --supervisor-socket");
    if (over_tcp ? !options.tls.all() : options.tls.any())
      throw CLI::ValidationError("--supervisor",
                                 "it needs --tls-cert, --tls-key and --tls-ca, and they need it");
    if (options.token_files.empty()) throw CLI::RequiredError("--token-file");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return {std::nullopt, app.exit(error)};
    std::string line = error.what();
    std::replace(line.begin(), line.end(), '\n', ' ');
    std::cerr << "plugin-gateway: " << line << " (see --help)\n";
    return {std::nullopt, usage_error};
  }
  return {std::move(options), 0};
}

std::string read_token(const std::string& path) {
  constexpr std::size_t longest = 4096;
  constexpr std::string_view blanks = " \t\r\n";
  std::string content;
  try {
    content = supervisor::sys::read_file(path, longest);
  } catch (const std::exception& error) {
    throw std::runtime_error("cannot read the token file: " + std::string(error.what()));
  }
  const auto first = content.find_first_not_of(blanks);
  if (first == std::string::npos)
    throw std::runtime_error("the token file " + path + " holds no token");
  std::string token = content.substr(first, content.find_last_not_of(blanks) - first + 1);
  if (token.find_first_of(blanks) != std::string::npos)
    throw std::runtime_error("the token file " + path + " holds more than one token");
  return token;
}

}  // namespace gateway
