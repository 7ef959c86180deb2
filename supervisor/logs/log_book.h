// The last lines of one plugin, over all its generations, and those who follow
// them. Owned by the plugin's supervision. Thread-safe: lines come from the
// Asio thread (pipes) and from gRPC threads (the logger), readers from gRPC.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::logs {

struct LogBookLimits {
  std::size_t max_lines = 2000;
  std::size_t max_bytes = 1u << 20;
};

class LogBook {
 public:
  /// Called for each new line, under no lock of the caller's, on whichever
  /// thread appends. Must not block.
  using Follower = std::function<void(const v1::LogLine&)>;
  using FollowerId = std::uint64_t;

  explicit LogBook(LogBookLimits limits = {}) : limits_(limits) {}

  /// Adds a line; the oldest leave when a limit is passed. Text must be
  /// printable (printable_text) already.
  void append(v1::LogLine line);

  /// The last `count` lines (0 = all), oldest first, and from then on every
  /// line to `follower` when one is given: none is lost between the two.
  std::vector<v1::LogLine> tail(std::size_t count, Follower follower = {},
                                FollowerId* id = nullptr);

  /// After this returns, the follower is not called again.
  void unfollow(FollowerId id);

  /// Texts of the last lines that the worker of `generation` itself printed or
  /// logged: the evidence of a crash.
  std::vector<std::string> last_texts(std::uint64_t generation, std::size_t count) const;

 private:
  const LogBookLimits limits_;
  mutable std::mutex mutex_;
  std::deque<v1::LogLine> lines_;
  std::size_t bytes_ = 0;
  FollowerId next_follower_ = 1;
  std::map<FollowerId, Follower> followers_;
};

}  // namespace supervisor::logs
