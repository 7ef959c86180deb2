// What a worker is launched with: a directory, pipes and groups, and then its
// init, which has forked it. It needs no plugin to be forked; see SpareWorkers.
//
// Its parts are moved out by whoever goes on with them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "supervisor/lifecycle/runtime_dir.h"
#include "supervisor/limits/launch_limits.h"
#include "supervisor/spawner/spawner.h"
#include "supervisor/sys/pipe.h"

namespace supervisor::lifecycle {

struct Launch {
  RuntimeDir directory;
  RuntimeDir::Pipe out;
  RuntimeDir::Pipe err;
  sys::Pipe assignment;  // Through which the worker is told what to be.
  sys::UniqueFd exit_record;
  std::shared_ptr<limits::LaunchLimits> limits;
  spawner::Spawned spawned;  // Once it has been forked.

  /// Everything that is needed before the fork, in `<runtime_dir>/w/<number>`;
  /// the limits are the caller's to add. Throws std::system_error.
  static Launch make(const std::filesystem::path& runtime_dir, std::uint64_t number);

  /// Has the worker forked, in the groups of `limits`, and closes the ends that
  /// are its own. The rest of `order`, its descriptors and limits, is filled in.
  boost::asio::awaitable<Outcome<void>> fork(spawner::Spawner& spawner,
                                             const spawner::Spawner::Place& place,
                                             spawner::SpawnOrder order,
                                             std::chrono::steady_clock::time_point deadline);

  /// It is there and has not ended.
  [[nodiscard]] bool is_alive() const;

  /// Ends one that has no plugin, and waits for its end as long as `patience`;
  /// one that takes longer is reaped with the orphans. May be called again.
  void end(std::chrono::milliseconds patience = {});
};

}  // namespace supervisor::lifecycle
