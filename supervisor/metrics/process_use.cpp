#include "supervisor/metrics/process_use.h"

#include <unistd.h>

#include <filesystem>

#include "supervisor/sys/process_stat.h"

namespace supervisor::metrics {

using Type = Exposition::Type;

std::optional<std::size_t> open_descriptors(pid_t pid) {
  std::error_code error;
  std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid) + "/fd", error);
  if (error) return std::nullopt;
  std::size_t count = 0;
  for (const std::filesystem::directory_iterator end; entries != end; entries.increment(error)) {
    if (error) return std::nullopt;
    ++count;
  }
  return count;
}

void append_own_use(Exposition& out, const std::string& prefix) {
  const auto stat = sys::process_stat(::getpid()).value_or(sys::ProcessStat{});
  out.family(Type::Gauge, prefix + "_memory_bytes", "Resident memory of the daemon itself.")
      .value({}, static_cast<double>(stat.memory_bytes));
  out.family(Type::Counter, prefix + "_cpu_seconds_total", "Processor time of the daemon itself.")
      .value({}, stat.cpu_seconds);
  out.family(Type::Gauge, prefix + "_open_descriptors", "Open descriptors of the daemon itself.")
      .value({}, static_cast<double>(open_descriptors(::getpid()).value_or(0)));
}

}  // namespace supervisor::metrics
