#include "worker_shim/native/sandbox_outcome.h"

#include <sys/prctl.h>

#include <cstdlib>
#include <string>

#include "supervisor/sandbox/protection_list.h"

namespace plugin_worker {
namespace {

int value_of(char digit) { return digit >= 'a' ? digit - 'a' + 10 : digit - '0'; }

}  // namespace

plugin_supervisor::v1::SandboxOutcome& sandbox_outcome() {
  static plugin_supervisor::v1::SandboxOutcome outcome;
  return outcome;
}

void take_sandbox_outcome_variable() {
  const char* text = std::getenv(sandbox_outcome_variable);
  if (text == nullptr) return;
  const std::string digits(text);
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(value_of(digits[i]) * 16 + value_of(digits[i + 1]));
  if (!sandbox_outcome().ParseFromString(bytes)) sandbox_outcome().Clear();
  ::unsetenv(sandbox_outcome_variable);
  // An exec has undone it (prctl(2)).
  if (supervisor::sandbox::contains(sandbox_outcome().done(),
                                    plugin_supervisor::v1::PROTECTION_NOT_DUMPABLE))
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

}  // namespace plugin_worker
