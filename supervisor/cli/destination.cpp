#include "supervisor/cli/destination.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "supervisor/cli/socket_path.h"

namespace supervisor::cli {
namespace {

constexpr const char* address_variable = "PLUGIN_SUPERVISOR_ADDRESS";

std::string given(const CLI::App& root, const char* option, const char* variable) {
  const auto text = root.get_option(option)->as<std::string>();
  if (!text.empty()) return text;
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : value;
}

}  // namespace

void add_destination_options(CLI::App& root) {
  root.add_option("--socket", "Path of the supervisor's Unix socket")->type_name("PATH");
  root.add_option(
          "--supervisor",
          "Address of a supervisor that listens on TCP, instead; with the three that follow")
      ->type_name("HOST:PORT");
  root.add_option("--tls-cert", "Certificate to show it, in PEM form")->type_name("PATH");
  root.add_option("--tls-key", "Key of that certificate")->type_name("PATH");
  root.add_option("--tls-ca", "Certificates by which the supervisor's own must be signed")
      ->type_name("PATH");
  // CLI11 takes a description alone for something else.
  root.add_flag_function(
      "--show-secrets", [](std::int64_t) {},
      "Show settings whose field is a password, which are ******** otherwise");
}

Destination destination_of(const CLI::App& root) {
  Destination destination;
  destination.show_secrets = root.get_option("--show-secrets")->count() > 0;
  const auto socket = root.get_option("--socket")->as<std::string>();
  // What is on the command line counts before what is in the environment.
  if (socket.empty() || !root.get_option("--supervisor")->as<std::string>().empty())
    destination.address = given(root, "--supervisor", address_variable);
  destination.tls.certificate = given(root, "--tls-cert", "PLUGIN_SUPERVISOR_TLS_CERT");
  destination.tls.key = given(root, "--tls-key", "PLUGIN_SUPERVISOR_TLS_KEY");
  destination.tls.authorities = given(root, "--tls-ca", "PLUGIN_SUPERVISOR_TLS_CA");
  destination.socket =
      choose_socket(socket, std::getenv(socket_variable), std::filesystem::current_path());
  return destination;
}

}  // namespace supervisor::cli
