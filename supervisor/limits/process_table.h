// All processes of the machine as one reading of /proc shows them, and what a
// process and its descendants use together. One reading serves every launch
// that is limited by looking.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "supervisor/limits/launch_limits.h"

namespace supervisor::limits {

struct ProcessRow {
  pid_t pid = 0;
  pid_t parent = 0;
  std::uint32_t threads = 0;
  std::uint64_t memory_bytes = 0;  // Resident, shared pages included.
};

/// What it takes to add up families of processes.
class ProcessTable {
 public:
  explicit ProcessTable(std::vector<ProcessRow> rows);
  ProcessTable() = default;

  /// `root` and all below it.
  [[nodiscard]] std::vector<ProcessRow> family(pid_t root) const;
  static Usage total(const std::vector<ProcessRow>& family);

 private:
  std::vector<ProcessRow> by_parent_;
  std::vector<ProcessRow> by_pid_;
};

/// Reads /proc a piece at a time, so that nobody has to wait for all of it.
class ProcessReading {
 public:
  ProcessReading();
  /// Reads up to `count` more; false when there are none.
  bool read_some(int count);
  [[nodiscard]] ProcessTable finish() && { return ProcessTable(std::move(rows_)); }

 private:
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  std::unique_ptr<DIR, Close> proc_;
  std::vector<ProcessRow> rows_;
};

/// The memory of a process with its part of what it shares (proc(5), Pss). Costs
/// far more to read than the resident size does: only for a family whose sum of
/// these is too large. The resident size where it may not be looked at.
std::uint64_t proportional_memory(const ProcessRow& process);

}  // namespace supervisor::limits
