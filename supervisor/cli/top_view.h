// What pluginctl top shows of one look at the workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/cli/processor_use.h"

namespace supervisor::cli {

enum class TopOrder { cpu, memory, key, calls, restarts };

/// The words of --sort.
const std::map<std::string, TopOrder>& top_orders();

struct TopRow {
  std::string key;
  v1::PluginState state = v1::PLUGIN_STATE_UNSPECIFIED;
  std::string pulse;       // "wedged"; empty while its heartbeat is well.
  std::int32_t pid = 0;    // 0 = no process; what follows is 0 then, apart from the last two.
  double cpu_percent = 0;  // Of one processor; of the worker's own process.
  std::uint64_t memory_bytes = 0;  // With what it started, where that is known.
  std::uint32_t processes = 0;     // And threads; 0 = not known.
  std::uint32_t calls = 0;         // In flight.
  std::int64_t uptime_ms = 0;
  std::uint32_t restarts = 0;
  std::uint64_t generation = 0;
};

/// In `order`, the largest first, those without a process last; keys in theirs,
/// which also decides between equals.
std::vector<TopRow> top_rows(const v1::ListWorkersResponse& workers, const ProcessorUse& use,
                             const Moment& now, TopOrder order);

struct TopPage {
  std::vector<TopRow> rows;
  std::int64_t unix_ms = 0;  // Of the look.
  std::string notice;        // A line for itself, such as that the supervisor is away.
  std::string footer;
};

struct TopSize {
  std::size_t columns = 0;  // 0 = no bound, here and below.
  std::size_t lines = 0;
};

/// Totals and table, in lines that end with \n and fit `size`: columns that
/// matter least are left out, then keys are cut; rows that do not fit are
/// counted. Harmless.
std::string top_text(const TopPage& page, const TopSize& size, bool colours);

/// One object with the time, the totals and the rows.
std::string top_json(const TopPage& page);

/// "12s", "3m05s", "2h10m", "5d03h"
std::string uptime_text(std::int64_t ms);

}  // namespace supervisor::cli
