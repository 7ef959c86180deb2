// The sandbox of one worker, from what its plugin may do to what came of it.
// A value; owned by the WorkerRun.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/launch_record.pb.h"
#include "supervisor/sandbox/planner.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sys/failure.h"

namespace supervisor::lifecycle {

struct WorkerSandbox {
  v1::Permissions permissions;
  sandbox::ProtectionModes modes;
  sandbox::SandboxSubject subject;   // Without the launch's part.
  std::vector<v1::Protection> made;  // The namespaces its init is in, once forked.
  v1::SandboxOutcome outcome;        // As the worker told when it attached.

  /// To and from the record of a launch, for the next supervisor.
  void write(v1::LaunchRecord& record) const;
  static WorkerSandbox read(const v1::LaunchRecord& record);

  /// What it is to have before it is told which plugin it is for.
  [[nodiscard]] std::vector<v1::Protection> ahead() const;

  /// Without a root of its own it must pass through the host's directories as
  /// the user that it is to be. Where it could not, it stays who we are. Throws
  /// std::system_error.
  void check_user(const std::filesystem::path& launch_directory);

  /// What the worker is to do to itself.
  Outcome<v1::SandboxPlan> plan(sandbox::SandboxPlanner& planner,
                                const std::filesystem::path& launch_directory) const;

  /// "NAME=value" of its home, and of what it was granted of our environment.
  [[nodiscard]] std::vector<std::string> environment() const;

  /// Lets the user that it runs as reach its launch's socket and pipes, and
  /// nobody else. Throws std::system_error.
  void open_way(const std::filesystem::path& launch_directory) const;

  /// SANDBOX_UNAVAILABLE when a protection that is required is missing.
  [[nodiscard]] std::optional<Failure> missing_requirement(const std::string& plugin) const;

  /// As the kernel shows it. Nothing when there is no process `pid`.
  [[nodiscard]] std::optional<v1::SandboxReport> report(pid_t pid) const;

  /// It is where the host's network is.
  [[nodiscard]] bool has_host_network() const;
  /// A NetworkFilter is to tell its hosts and ports apart: not where it has a
  /// network of its own.
  [[nodiscard]] bool wants_filter() const;
  /// It may make sockets of UDP.
  [[nodiscard]] bool has_datagrams() const;

 private:
  std::string no_user_because_;
  [[nodiscard]] bool is_done(v1::Protection protection) const;
};

}  // namespace supervisor::lifecycle
