#include "supervisor/sys/process_status.h"

#include <algorithm>
#include <exception>

#include "supervisor/sys/file.h"

namespace supervisor::sys {

std::optional<ProcessStatus> ProcessStatus::of(pid_t pid) {
  constexpr std::size_t most = 1u << 16;
  try {
    return ProcessStatus("\n" + read_file("/proc/" + std::to_string(pid) + "/status", most));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::string_view ProcessStatus::value(std::string_view name) const {
  const auto line = text_.find("\n" + std::string(name) + ":");
  if (line == std::string::npos) return {};
  std::string_view rest(text_);
  rest.remove_prefix(line + name.size() + 2);
  rest = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.find_first_not_of("\t "), rest.size()));
  return rest;
}

}  // namespace supervisor::sys
