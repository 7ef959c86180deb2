// What every plugin's supervision needs of the daemon around it. Built by
// main(), outlives all supervisions.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/events/event_bus.h"
#include "supervisor/host/host_calls.h"
#include "supervisor/jobs/job_book.h"
#include "supervisor/lifecycle/heartbeat_watch.h"
#include "supervisor/lifecycle/launch_numbers.h"
#include "supervisor/lifecycle/orphans.h"
#include "supervisor/lifecycle/pulse.h"
#include "supervisor/lifecycle/restart_policy.h"
#include "supervisor/lifecycle/spare_workers.h"
#include "supervisor/limits/disk_watch.h"
#include "supervisor/limits/limit_support.h"
#include "supervisor/limits/limit_watch.h"
#include "supervisor/limits/limits.h"
#include "supervisor/link/link_server.h"
#include "supervisor/logs/log_shelf.h"
#include "supervisor/metrics/meters.h"
#include "supervisor/sandbox/name_book.h"
#include "supervisor/sandbox/planner.h"
#include "supervisor/spawner/profile_set.h"

namespace supervisor::lifecycle {

struct SupervisionOptions {
  std::filesystem::path python = "/usr/bin/python3";
  std::filesystem::path shim_dir;  // Of start_spawner.py.
  std::filesystem::path plugins_dir;
  std::filesystem::path runtime_dir;
  std::vector<std::string> worker_environment;     // "NAME=value", beside our own.
  std::chrono::milliseconds start_timeout{20000};  // Launch to ready.
  std::chrono::milliseconds stop_timeout{30000};   // From asking a worker to end to SIGKILL.
  std::chrono::milliseconds call_timeout{300000};  // Default deadline of a call.
  RestartPolicy restart;
  std::chrono::milliseconds heartbeat_interval{1000};  // 0 = no heartbeat.
  PulseLimits pulse;
  // Of a worker, where nothing else is set for its plugin.
  limits::Limits limits{
      .memory_bytes = 1u << 30, .processes = 512, .open_files = 4096, .disk_bytes = 1u << 30};
  limits::MechanismChoice limit_mechanism = limits::MechanismChoice::automatic;
  // Forked in advance, for each spawner. Two: while one is made anew, with its
  // namespaces and its root, the next start has the other.
  unsigned spare_workers = 2;
  std::filesystem::path data_dir;              // Of the plugins' data directories.
  sandbox::ProtectionModes protections;        // Where nothing else is said.
  std::uint64_t temporary_bytes = 256u << 20;  // Of a worker's /tmp.
  // User ids that plugins are given, first and last; 0 = none.
  std::pair<std::uint32_t, std::uint32_t> plugin_users{0, 0};
};

struct SupervisionContext {
  boost::asio::any_io_executor core;  // The one thread all supervisions run on.
  SupervisionOptions options;
  link::LinkServer& links;
  events::EventBus& bus;
  jobs::JobBook& jobs;
  host::HostCalls& host;
  Orphans& orphans;
  spawner::ProfileSet& profiles;
  LaunchNumbers& launch_numbers;
  SpareWorkers& spares;
  sandbox::SandboxPlanner& planner;
  sandbox::NameBook& names;
  logs::LogShelf& logs;
  metrics::Meters& meters;
  HeartbeatWatch& heartbeats;
  limits::LimitSupport& limits;
  limits::LimitWatch& limit_watch;
  limits::DiskWatch& disk_watch;
  std::string instance;  // Differs between runs of the daemon; in launch marks.
  std::string boot_id;   // Of the kernel; in launch records.
};

}  // namespace supervisor::lifecycle
