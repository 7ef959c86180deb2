// Whether the files that a plugin writes may become larger: RLIMIT_FSIZE of each
// of its processes (setrlimit(2)). A write that would let a file grow fails with
// EFBIG; reading, overwriting what is there, truncating and removing go on. Only
// the soft limit is changed here, which the filter of system calls keeps the
// plugin from raising: to raise a hard one again, which the worker has set once
// (sandbox/apply.cpp), we would need CAP_SYS_RESOURCE.
//
// Used by the DiskWatch, on its thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace supervisor::limits {

/// Whose processes they are. Those of another user are given their limits by a
/// process of ours that becomes that user.
struct GrowthSubject {
  std::function<std::vector<pid_t>()> processes;  // Without the init.
  uid_t user = 0;
  gid_t group = 0;
};

/// No file may grow. False when that cannot be done to all of them; those that
/// are started meanwhile are found.
bool refuse_growth(const GrowthSubject& subject);

/// Files may grow again, to `largest_file` bytes; 0 = as the hard limit says.
bool allow_growth(const GrowthSubject& subject, std::uint64_t largest_file);

}  // namespace supervisor::limits
