// Which supervisor pluginctl speaks to, and how: by its socket, or over TCP.
#pragma once

#include <filesystem>
#include <string>

#include "supervisor/rpc/mutual_tls.h"

namespace CLI {
class App;
}

namespace supervisor::cli {

struct Destination {
  std::filesystem::path socket;
  std::string address = {};  // HOST:PORT, instead of the socket.
  rpc::TlsFiles tls = {};    // For the address.
  bool show_secrets = false;

  /// As a person calls it.
  [[nodiscard]] std::string name() const { return address.empty() ? socket.native() : address; }
};

/// Declares the options that say so on the root parser.
void add_destination_options(CLI::App& root);

/// What they, the environment and the present directory come to.
Destination destination_of(const CLI::App& root);

}  // namespace supervisor::cli
