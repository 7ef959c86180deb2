// Groups that could not be removed, because something was left in them: a
// process that had been killed and that the machine had no time to end, or that
// hangs in the kernel. Shared by a LimitSupport and its launches; any thread.
#pragma once

#include <filesystem>
#include <mutex>
#include <vector>

namespace supervisor::limits {

class Leftovers {
 public:
  void add(std::filesystem::path group);
  /// Removes those that hold nothing by now.
  void remove();

 private:
  std::mutex mutex_;
  std::vector<std::filesystem::path> groups_;
};

}  // namespace supervisor::limits
