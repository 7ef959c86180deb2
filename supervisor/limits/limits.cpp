#include "supervisor/limits/limits.h"

namespace supervisor::limits {

Limits effective(Limits defaults, const v1::Permissions::Limits& granted,
                 const v1::PluginOptions& options) {
  if (granted.memory_mb() != 0) defaults.memory_bytes = std::uint64_t{granted.memory_mb()} << 20;
  if (granted.cpus() != 0) defaults.cpus = granted.cpus();
  if (granted.processes() != 0) defaults.processes = granted.processes();
  if (granted.open_files() != 0) defaults.open_files = granted.open_files();
  if (granted.disk_mb() != 0) defaults.disk_bytes = std::uint64_t{granted.disk_mb()} << 20;
  if (options.has_memory_bytes()) defaults.memory_bytes = options.memory_bytes();
  if (options.has_cpus()) defaults.cpus = options.cpus();
  if (options.has_processes()) defaults.processes = options.processes();
  if (options.has_open_files()) defaults.open_files = options.open_files();
  if (options.has_disk_bytes()) defaults.disk_bytes = options.disk_bytes();
  return defaults;
}

}  // namespace supervisor::limits
