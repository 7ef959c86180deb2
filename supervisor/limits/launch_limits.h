// The limits of one launch: what holds its processes, what has been used, and
// whether a limit was what ended it.
//
// Owned by the WorkerRun, or by a spare worker. Used on the core thread, except report(), which any
// thread may call. Making it never fails: what cannot be done by a cgroup is
// left to the sampler (LimitWatch), and report() says so.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/limits/cgroup.h"
#include "supervisor/limits/disk_quota.h"
#include "supervisor/limits/limit_support.h"
#include "supervisor/limits/limits.h"
#include "supervisor/sys/failure.h"

namespace supervisor::limits {

/// What a launch's processes use together.
struct Usage {
  std::uint64_t memory_bytes = 0;
  std::uint32_t processes = 0;  // Threads counted.
};

class LaunchLimits {
 public:
  /// Makes the groups of a launch.
  LaunchLimits(const LimitSupport& support, std::string plugin, std::uint64_t generation,
               const Limits& limits);
  /// The groups, named `group`, of a launch that has no plugin yet.
  static std::unique_ptr<LaunchLimits> spare(const LimitSupport& support, std::string group,
                                             const Limits& limits);
  /// It has one now.
  void assign(std::string plugin);
  ~LaunchLimits();
  LaunchLimits(const LaunchLimits&) = delete;
  LaunchLimits& operator=(const LaunchLimits&) = delete;
  /// The groups that an earlier supervisor made for a launch, with the limits
  /// that they have; `limits` holds where there is no group.
  static std::unique_ptr<LaunchLimits> adopt(const LimitSupport& support, std::string plugin,
                                             std::string group, const Limits& limits);
  /// The name of its groups.
  [[nodiscard]] const std::string& group() const { return name_; }

  /// What a worker needs to be in its groups before it runs. Close it once it
  /// has been forked.
  struct WayIn {
    std::vector<sys::UniqueFd> tasks;  // "0" is to be written to each.
    sys::UniqueFd group;               // To be cloned into; may be empty.
  };
  [[nodiscard]] WayIn way_in() const;
  /// Of RLIMIT_NOFILE; 0 = none.
  [[nodiscard]] std::uint32_t open_files() const { return limits_.open_files; }

  /// Of its data directory.
  [[nodiscard]] DiskQuota& disk() { return disk_; }
  /// What the DiskWatch has measured.
  DiskQuota::Verdict take_disk_use(const DiskUse& use);

  /// Its group of version 2; empty when it has none.
  [[nodiscard]] std::filesystem::path unified_group() const;
  /// Who is in its groups, its init among them; nothing without groups.
  [[nodiscard]] std::optional<std::vector<pid_t>> processes() const;
  /// The processor time that all of them have had; nothing where no group tells.
  [[nodiscard]] std::optional<std::uint64_t> processor_time_us() const;

  /// Looks whether the worker is where it should be. A group that does not hold
  /// it limits nothing, and is given up; nothing is said of one that has ended.
  void confirm(pid_t worker);

  /// Memory or processes are limited by looking at them.
  [[nodiscard]] bool needs_samples() const;
  [[nodiscard]] bool is_over_memory(const Usage& usage) const;
  [[nodiscard]] bool is_over_processes(const Usage& usage) const;
  /// What the sampler saw. Says what is over its limit, if anything is; the
  /// launch is to be ended then, and reason() will tell.
  std::optional<std::string> take_sample(const Usage& usage);
  /// It used far more in the last sample than in the one before: the next had
  /// better come soon.
  [[nodiscard]] bool grows_fast() const;

  /// Reads what the kernel has counted of a worker that goes on: sentences for
  /// the plugin's log about limits that were hit since the last time. Of one that
  /// has ended, it would take for survived what it died of.
  std::vector<std::string> look();

  /// What was counted before is survived: of a worker that is taken over alive.
  void begin_again();

  /// Why the launch ended, when a limit was the cause: with reason, message and
  /// hint. `signalled` and `code` are of the worker's end. Once, after it.
  [[nodiscard]] std::optional<Failure> cause(bool signalled, int code) const;

  /// The limits, what sees to them and, with `usage`, how much is used by now.
  void report(v1::LimitsReport& report, pid_t worker, bool usage) const;

  /// Sends SIGKILL to every process that is left in the launch's groups.
  /// Returns how many there were; is_empty() tells when they are gone. Without
  /// groups nothing is known, and nothing done.
  int kill_all() const;
  [[nodiscard]] bool is_empty() const;

 private:
  enum class Origin { made, adopted };
  LaunchLimits(const LimitSupport& support, std::string plugin, std::string group,
               const Limits& limits, Origin origin);
  const Cgroup* find_group(v1::LimitMechanism by, const std::filesystem::path& parent,
                           Origin origin);
  void write_limits();
  void read_limits();
  void give_up(std::size_t index);
  void remove(std::unique_ptr<Cgroup> group) const;
  [[nodiscard]] Usage used() const;
  [[nodiscard]] std::uint64_t memory_kills() const;
  [[nodiscard]] std::uint64_t refused_forks() const;
  [[nodiscard]] bool reached_memory_limit() const;

  const std::string name_;  // Of its groups.
  const std::shared_ptr<Leftovers> leftovers_;
  Limits limits_;  // Written while it is made.
  DiskQuota disk_;

  mutable std::mutex mutex_;  // Over what follows.
  std::string plugin_;
  // Of version 2 there is one, of version 1 one in each hierarchy. The pointers
  // are null where no group sees to it.
  std::vector<std::unique_ptr<Cgroup>> groups_;
  const Cgroup* memory_ = nullptr;
  const Cgroup* processes_ = nullptr;
  const Cgroup* cpus_ = nullptr;
  // A counter as it was when the worker was seen to go on, and as it was last
  // seen: what lies between may be what the worker dies of.
  struct Counter {
    std::uint64_t survived = 0;
    std::uint64_t noticed = 0;
    /// How many were survived since the last time.
    std::uint64_t look(std::uint64_t now);
  };
  Counter kills_;
  Counter refusals_;
  Usage sampled_;
  bool grows_fast_ = false;
  std::optional<Failure> excess_;  // What the sampler ended it for.
};

/// "512.0 MB", as everywhere in messages.
std::string bytes_text(std::uint64_t bytes);

}  // namespace supervisor::limits
