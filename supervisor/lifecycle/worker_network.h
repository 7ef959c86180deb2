// The network of one worker, from what its plugin was granted to what keeps it
// to that.
//
// Owned by the WorkerRun, used on the core thread; its status is shared with the
// plugin's facts.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/permissions.pb.h"
#include "plugin_supervisor/v1/sandbox.pb.h"
#include "supervisor/sandbox/name_book.h"
#include "supervisor/sandbox/network_filter.h"

namespace supervisor::lifecycle {

namespace v1 = plugin_supervisor::v1;

/// What is told of it; any thread.
class NetworkStatus {
 public:
  [[nodiscard]] v1::NetworkReport report() const;
  void change(const std::function<void(v1::NetworkReport&)>& change);

 private:
  mutable std::mutex mutex_;
  v1::NetworkReport report_;
};

class WorkerNetwork {
 public:
  WorkerNetwork(sandbox::NameBook& names, v1::Permissions::Network granted);
  WorkerNetwork(const WorkerNetwork&) = delete;
  WorkerNetwork& operator=(const WorkerNetwork&) = delete;

  /// The names that are to be known before it starts.
  [[nodiscard]] const std::vector<std::string>& names() const { return interest_->names; }

  /// Lets the processes of `group` reach what was granted and nothing else. With
  /// an empty path, or where the kernel refuses, nothing is done, and settle()
  /// tells. Where names alone were granted, they are written into `hosts_file`,
  /// kept up to date there, and can be asked of nobody else.
  void enforce(const std::filesystem::path& group, const std::filesystem::path& hosts_file);
  /// As enforce(), once the names are known, for a worker that is taken over; what
  /// the kernel holds it to meanwhile is as it was.
  void enforce_again(const std::filesystem::path& group, const std::filesystem::path& hosts_file);
  [[nodiscard]] bool is_enforced() const { return filter_ || was_enforced_; }
  /// Empty when its names can be asked of others.
  [[nodiscard]] const std::filesystem::path& hosts_file() const { return hosts_file_; }
  /// Its group does not hold the worker.
  void give_up(std::string because);
  /// Names that stand for nothing known, each with the reason.
  [[nodiscard]] std::vector<std::string> unknown_names() const;

  /// What came of the whole sandbox: whether it has a network of its own, and
  /// whether Landlock and seccomp do their parts.
  void settle(v1::SandboxOutcome& outcome, bool host_network, bool datagrams);

  [[nodiscard]] const std::shared_ptr<NetworkStatus>& status() const { return status_; }

 private:
  void refresh();
  void show(const sandbox::KnownNames& names);
  void write_hosts(const sandbox::KnownNames& names) const;
  [[nodiscard]] sandbox::KnownNames known_names() const;
  [[nodiscard]] sandbox::NetworkSurroundings surroundings() const;

  sandbox::NameBook& book_;
  const v1::Permissions::Network granted_;
  std::shared_ptr<sandbox::NameBook::Interest> interest_;
  std::optional<sandbox::NetworkFilter> filter_;
  bool was_enforced_ = false;  // By an earlier supervisor.
  std::filesystem::path hosts_file_;
  std::string why_not_ = "it cannot be had here";
  const std::shared_ptr<NetworkStatus> status_ = std::make_shared<NetworkStatus>();
};

}  // namespace supervisor::lifecycle
