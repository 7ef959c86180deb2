#include "supervisor/cli/completion.h"

namespace supervisor::cli {

std::string candidates_word(Completes completes) {
  switch (completes) {
    case Completes::plugins:
      return "plugins";
    case Completes::jobs:
      return "jobs";
    case Completes::live_jobs:
      return "live-jobs";
    case Completes::actions:
      return "actions";
    default:
      return {};
  }
}

std::string shell_quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace supervisor::cli
