// What the daemon is told at start: flags, environment, or a file of the same
// names. Unknown names are refused.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "supervisor/jobs/job_history.h"
#include "supervisor/lifecycle/supervision_context.h"
#include "supervisor/link/link_server.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/rpc/mutual_tls.h"
#include "supervisor/services/plugins_service.h"
#include "supervisor/store/store.h"

namespace supervisor {

struct Config {
  lifecycle::SupervisionOptions supervision;
  link::LinkOptions link;
  store::StoreOptions store;
  services::PluginsServiceOptions plugins_service;
  logs::LogOptions plugin_logs;  // Its directory by default: <runtime-dir>/logs.
  jobs::HistoryOptions history;
  std::filesystem::path profiles_file;  // Of runtime profiles; empty = only "standalone".
  std::filesystem::path socket;         // Default: <runtime-dir>/supervisor.sock
  std::string listen_tcp;               // HOST:PORT; empty = the socket alone.
  rpc::TlsFiles tls;                    // Of that: ours, and whom callers must be by.
  std::optional<gid_t> socket_group;    // May use the socket beside our user and root.
  logs::LogFormat log_format = logs::LogFormat::text;
  std::string log_level = "info";
};

/// The configuration, or the exit code when the process should end at once
/// (--help, --version: 0; a mistake, told on standard error: 2).
struct ParsedConfig {
  std::optional<Config> config;
  int exit_code = 0;
};
ParsedConfig parse_config(int argc, char** argv);

}  // namespace supervisor
