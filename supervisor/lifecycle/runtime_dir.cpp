#include "supervisor/lifecycle/runtime_dir.h"

#include <sys/stat.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {

RuntimeDir::RuntimeDir(const std::filesystem::path& parent, const std::string& name)
    : path_(parent / "w" / name) {
  std::filesystem::create_directories(path_.parent_path());
  std::filesystem::remove_all(path_);
  sys::checked("mkdir " + path_.string(), [&] { return ::mkdir(path_.c_str(), 0700); });
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;  // Best effort: the next launch replaces leftovers.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace supervisor::lifecycle
