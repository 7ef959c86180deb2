#include "supervisor/limits/limits.h"

namespace supervisor::limits {

Limits effective(Limits defaults, const v1::PluginOptions& options) {
  if (options.has_memory_bytes()) defaults.memory_bytes = options.memory_bytes();
  if (options.has_cpus()) defaults.cpus = options.cpus();
  if (options.has_processes()) defaults.processes = options.processes();
  if (options.has_open_files()) defaults.open_files = options.open_files();
  return defaults;
}

}  // namespace supervisor::limits
