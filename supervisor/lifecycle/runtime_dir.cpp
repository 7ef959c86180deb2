#include "supervisor/lifecycle/runtime_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {

RuntimeDir::RuntimeDir(const std::filesystem::path& parent, const std::string& name)
    : path_(parent / "w" / name) {
  std::filesystem::create_directories(path_.parent_path());
  std::filesystem::remove_all(path_);
  sys::checked("mkdir " + path_.string(), [&] { return ::mkdir(path_.c_str(), 0700); });
}

RuntimeDir::Pipe RuntimeDir::make_pipe(const std::string& name) const {
  const auto path = path_ / name;
  sys::checked("mkfifo " + path.string(), [&] { return ::mkfifo(path.c_str(), 0600); });
  const auto open = [&](int flags) {
    return sys::UniqueFd(sys::checked("open " + path.string(),
                                      [&] { return ::open(path.c_str(), flags | O_CLOEXEC); }));
  };
  Pipe pipe;
  pipe.read = open(O_RDONLY | O_NONBLOCK);
  pipe.write = open(O_RDWR);
  return pipe;
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;  // Best effort: the next launch replaces leftovers.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace supervisor::lifecycle
