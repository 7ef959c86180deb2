// What is known of one plugin: its files, its row, what it was set to, its
// state and its worker. Data only; PluginStatus guards it, plugin_rendering.h
// shows it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/catalog/catalog_entry.h"
#include "supervisor/lifecycle/heartbeat.h"
#include "supervisor/lifecycle/worker_network.h"
#include "supervisor/limits/launch_limits.h"
#include "supervisor/link/worker_link.h"
#include "supervisor/sandbox/consent.h"
#include "supervisor/store/store.h"
#include "supervisor/sys/failure.h"

namespace supervisor::lifecycle {

struct PluginFacts {
  std::string key;

  // Wanted.
  std::optional<catalog::CatalogEntry> entry;  // Nothing when there are no files.
  std::optional<store::PluginConfigRow> row;   // Nothing when there is none.
  bool row_known = false;                      // The database has been read once.
  v1::PluginOptions options;
  std::uint32_t user = 0;  // The user id that is its own; 0 = the supervisor's.
  sandbox::Consent consent;
  std::optional<Failure> permissions_mistake;  // Why what it asks for cannot be read.

  // Its life.
  v1::PluginState state = v1::PLUGIN_STATE_DISABLED;
  std::optional<Failure> failure;     // Why it is in this state.
  std::optional<Failure> last_crash;  // Of a worker that ended by itself.
  std::uint64_t generation = 0;       // The newest launch's number.
  std::uint32_t restarts = 0;         // After crashes, since it was enabled.
  std::int64_t next_start_unix_ms = 0;
  std::int64_t last_reload_unix_ms = 0;
  std::deque<v1::LifeEvent> life;  // The last of them.
  std::optional<v1::StopReport> last_stop;

  // Its worker, while there is one.
  std::shared_ptr<link::WorkerLink> link;  // While it takes calls.
  std::optional<v1::Loaded> loaded;
  std::string runtime_name;
  std::optional<v1::Permissions> permissions;  // As it was started with.
  std::optional<v1::SandboxReport> sandbox;    // As it was seen when it was ready.
  pid_t pid = 0;
  bool adopted = false;
  std::int64_t started_at_unix_ms = 0;
  v1::StartSteps start_steps;
  std::shared_ptr<limits::LaunchLimits> limits;
  std::shared_ptr<NetworkStatus> network;
  std::shared_ptr<Heartbeat> heartbeat;

  /// The worker is gone, and what it had said with it.
  void forget_worker();
};

}  // namespace supervisor::lifecycle
