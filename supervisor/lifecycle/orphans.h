// Processes that a plugin left behind. A child whose parent died falls to the
// supervisor, which is the subreaper of all its workers (prctl(2)). Each is
// known by the launch mark in its environment; one without a mark is left
// alone. One per supervisor; used on its Asio thread.
#pragma once

#include <set>
#include <string_view>
#include <vector>

namespace supervisor::lifecycle {

/// The environment variable that marks every process of a launch. A spawner is
/// given it filled up to this size, so that a worker can put its own mark into
/// the place that /proc/<pid>/environ shows, which its forks share.
inline constexpr std::string_view launch_mark_variable = "PLUGIN_SUPERVISOR_LAUNCH";
inline constexpr std::size_t launch_mark_size = 640;

class Orphans {
 public:
  /// Makes this process the subreaper of its descendants. Throws.
  Orphans();

  /// Kills every child that carries `mark`, and reaps those that ended. Returns
  /// the ones found, at once: their own children fall to us only as they die,
  /// so call again until there are none.
  std::vector<int> end(std::string_view mark);

  /// The same among all processes of the machine: those of a worker that was
  /// taken over fall to whoever has become their parent.
  std::vector<int> end_anywhere(std::string_view mark);

  /// Reaps orphans that ended by themselves. Call every few seconds: a child
  /// is taken only when it was a zombie at the call before as well, because
  /// those that someone here waits for are reaped at once.
  void reap_ended();

 private:
  std::set<int> zombies_;
};

}  // namespace supervisor::lifecycle
