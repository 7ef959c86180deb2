#include "supervisor/limits/leftovers.h"

#include <unistd.h>

#include <cerrno>

namespace supervisor::limits {

void Leftovers::add(std::filesystem::path group) {
  const std::lock_guard lock(mutex_);
  groups_.push_back(std::move(group));
}

void Leftovers::remove() {
  const std::lock_guard lock(mutex_);
  std::erase_if(groups_,
                [](const auto& group) { return ::rmdir(group.c_str()) == 0 || errno == ENOENT; });
}

}  // namespace supervisor::limits
