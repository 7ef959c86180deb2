#include "supervisor/lifecycle/process_usage.h"

#include <unistd.h>

#include <sstream>
#include <string>

#include "supervisor/sys/file.h"

namespace supervisor::lifecycle {

ProcessUsage process_usage(pid_t pid) {
  ProcessUsage usage;
  std::string stat;
  try {
    stat = sys::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  } catch (const std::exception&) {
    return usage;
  }
  // The command name, field 2, may hold spaces and parentheses: begin behind it.
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return usage;
  std::istringstream fields(stat.substr(name_end + 2));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  std::uint64_t pages = 0;
  fields >> pages;
  usage.cpu_seconds =
      static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.memory_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return usage;
}

}  // namespace supervisor::lifecycle
