// The limit of one launch's disk space: what follows from what was measured.
//
// Owned by a LaunchLimits; any thread. Measuring is the DiskWatch's part, and
// so is doing what this says.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/limits/disk_use.h"
#include "supervisor/sys/failure.h"

namespace supervisor::limits {

namespace v1 = plugin_supervisor::v1;

class DiskQuota {
 public:
  /// 0 = no limit.
  explicit DiskQuota(std::uint64_t bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  enum class Verdict {
    as_before,
    full,  // From now on files may not grow.
    room,  // They may again.
    over,  // It grew nevertheless: to be ended; failure() tells.
  };
  /// What was measured. `plugin` is for the failure.
  Verdict take(const DiskUse& use, const std::string& plugin);

  /// Growth could not be refused: from now on measures are held against the
  /// limit itself, and as ever it takes a few in a row to end it.
  void growth_was_not_refused();

  /// It takes so much that it may soon be over.
  [[nodiscard]] bool is_near() const;
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] std::optional<Failure> failure() const;
  void report(v1::LimitsReport& report) const;

 private:
  const std::uint64_t bytes_;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;
  bool full_ = false;
  bool refused_ = true;  // While it is full.
  // What it took once growth was refused: what had been under way is done then.
  std::optional<std::uint64_t> when_refused_;
  int over_in_a_row_ = 0;
  std::optional<Failure> failure_;
};

}  // namespace supervisor::limits
