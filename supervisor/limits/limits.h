// What one worker and everything it starts may use, taken together.
#pragma once

#include <cstdint>

#include "plugin_supervisor/v1/options.pb.h"
#include "plugin_supervisor/v1/permissions.pb.h"

namespace supervisor::limits {

namespace v1 = plugin_supervisor::v1;

/// 0 = no limit.
struct Limits {
  std::uint64_t memory_bytes = 0;
  double cpus = 0;               // Processors' worth of time.
  std::uint32_t processes = 0;   // Threads count as well.
  std::uint32_t open_files = 0;  // Of each process by itself.
  std::uint64_t disk_bytes = 0;  // In the plugin's data directory.

  friend bool operator==(const Limits&, const Limits&) = default;
};

/// The daemon's defaults, over them what one plugin was granted, and over that
/// what is set for it.
Limits effective(Limits defaults, const v1::Permissions::Limits& granted,
                 const v1::PluginOptions& options);

}  // namespace supervisor::limits
