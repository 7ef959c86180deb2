// The part of a worker's sandbox that is the same for every plugin of its profile,
// made before it is known which one that is: a spare has the time.
#pragma once

#include <memory>
#include <string>

#include "plugin_supervisor/v1/spawner.pb.h"
#include "worker_shim/native/sandbox/landlock.h"

namespace plugin_worker::sandbox {

namespace v1 = plugin_supervisor::v1;

struct Preparation {
  bool root_begun = false;               // See root.h.
  std::unique_ptr<LandlockFiles> files;  // Not enforced yet; what all may read.
  std::string why_no_files;
  std::string allowed_calls;  // Of seccomp; to be loaded still when not empty.
};

/// Of this process, whose only thread it is; see apply().
Preparation& preparation();

/// `root_begun`: by this process's init. Never throws: what could not be made is missing in the
/// end.
void prepare(const v1::SpawnRequest& request, bool root_begun);

}  // namespace plugin_worker::sandbox
