#include "worker_shim/native/sandbox/preparation.h"

#include <exception>

#include "supervisor/sandbox/protection_list.h"
#include "worker_shim/native/sandbox/seccomp.h"

namespace plugin_worker::sandbox {

Preparation& preparation() {
  static Preparation of_process;
  return of_process;
}

void prepare(const v1::SpawnRequest& request, bool root_begun) {
  const auto wants = [&request](v1::Protection protection) {
    return supervisor::sandbox::contains(request.ahead(), protection);
  };
  auto& made = preparation();
  made.root_begun = root_begun;
  if (wants(v1::PROTECTION_FILES)) {
    try {
      auto files = std::make_unique<LandlockFiles>();
      for (const auto& path : request.common().paths()) files->allow({.path = path});
      made.files = std::move(files);
    } catch (const std::exception& error) {
      made.why_no_files = error.what();
    }
  }
  if (wants(v1::PROTECTION_SYSTEM_CALLS)) {
    try {
      load_seccomp(request.common().seccomp_allowed());
    } catch (const std::exception&) {
      // Who has no privileges must give up the chance of any before.
      made.allowed_calls = request.common().seccomp_allowed();
    }
  }
}

}  // namespace plugin_worker::sandbox
