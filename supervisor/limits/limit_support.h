// What this machine offers for limits, tried out once at start: for memory,
// processes and processor time each a cgroup hierarchy of version 2 or 1 that
// we may make groups in, or none.
//
// All groups lie below the supervisor's own cgroup, in
// plugin-supervisor-<hash of the runtime directory>/<plugin>.<generation>, or
// launch-<instance>-<number> of a launch that was made before it had a plugin: a
// later supervisor of the same runtime directory finds them there. One per
// supervisor, owned by main(); used on the core thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/limits/cgroup.h"
#include "supervisor/limits/leftovers.h"
#include "supervisor/limits/own_cgroups.h"

namespace supervisor::limits {

namespace v1 = plugin_supervisor::v1;

/// What an admin wants used.
enum class MechanismChoice {
  automatic,  // Cgroups where they can be had, else sampling.
  cgroup,     // Cgroups, or the daemon does not start.
  sampling,   // No cgroups.
};

class LimitSupport {
 public:
  /// Tries what there is.
  /// Throws std::runtime_error when `choice` is cgroup and memory or processes
  /// cannot be limited by one.
  LimitSupport(const OwnCgroups& own, MechanismChoice choice,
               const std::filesystem::path& runtime_dir);
  ~LimitSupport();
  LimitSupport(const LimitSupport&) = delete;
  LimitSupport& operator=(const LimitSupport&) = delete;

  /// One resource: who limits it, in groups below which directory.
  struct Controller {
    v1::LimitMechanism by = v1::LIMIT_MECHANISM_NONE;  // Or a cgroup's.
    std::filesystem::path parent;
    std::string why_not;  // No cgroup does it.
  };
  [[nodiscard]] const Controller& memory() const { return memory_; }
  [[nodiscard]] const Controller& processes() const { return processes_; }
  [[nodiscard]] const Controller& cpus() const { return cpus_; }
  /// Groups of version 2 can be made, whatever they limit: they hold a launch's
  /// processes together. Empty when not.
  [[nodiscard]] const std::filesystem::path& unified() const { return unified_; }

  /// Removes groups that earlier supervisors or ended launches have left, once
  /// they hold nothing. Call it now and then, but not before the ends of earlier
  /// launches have been looked into: the groups know about those.
  void remove_leftovers() { leftovers_->remove(); }
  /// Where a launch puts a group that it could not remove.
  [[nodiscard]] const std::shared_ptr<Leftovers>& leftovers() const { return leftovers_; }

  /// The name of a launch's groups.
  static std::string group_name(const std::string& plugin, std::uint64_t generation);

 private:
  void find_leftovers();
  void try_v2(const std::filesystem::path& own);
  void try_v1(const OwnCgroups& own, const std::string& controller, const char* file,
              const char* value, Controller& resource);

  const std::string name_;  // Of the directory that holds our groups.
  Controller memory_;
  Controller processes_;
  Controller cpus_;
  std::filesystem::path unified_;
  std::vector<std::filesystem::path> parents_;
  const std::shared_ptr<Leftovers> leftovers_ = std::make_shared<Leftovers>();
};

}  // namespace supervisor::limits
