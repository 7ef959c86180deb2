#include "supervisor/sys/process_stat.h"

#include <unistd.h>

#include <sstream>
#include <string>

#include "supervisor/sys/file.h"

namespace supervisor::sys {

std::optional<ProcessStat> process_stat(pid_t pid) {
  std::string text;
  try {
    text = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  // The command name, field 2, may hold spaces and parentheses: begin behind it.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 2));
  ProcessStat stat;
  std::string skipped;
  fields >> stat.state >> stat.parent;
  for (int field = 5; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  for (int field = 16; field < 22; ++field) fields >> skipped;
  std::uint64_t pages = 0;
  fields >> stat.started >> skipped >> pages;
  if (!fields) return std::nullopt;
  stat.cpu_seconds =
      static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  stat.memory_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return stat;
}

}  // namespace supervisor::sys
