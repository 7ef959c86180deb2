// What /proc/<pid>/status says of a process (proc(5)).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace supervisor::sys {

class ProcessStatus {
 public:
  /// Nothing when there is no such process.
  static std::optional<ProcessStatus> of(pid_t pid);

  /// What stands behind "NoNewPrivs:"; empty when the kernel says nothing of it.
  [[nodiscard]] std::string_view value(std::string_view name) const;

 private:
  explicit ProcessStatus(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace supervisor::sys
