#include "supervisor/lifecycle/runtime_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "supervisor/sys/syscall.h"

namespace supervisor::lifecycle {
namespace {

sys::UniqueFd open_at(const std::filesystem::path& path, int flags) {
  return sys::UniqueFd(sys::checked("open " + path.string(),
                                    [&] { return ::open(path.c_str(), flags | O_CLOEXEC); }));
}

}  // namespace

RuntimeDir::RuntimeDir(const std::filesystem::path& parent, const std::string& name)
    : path_(parent / "w" / name) {
  std::filesystem::create_directories(path_.parent_path());
  sys::checked("mkdir " + path_.string(), [&] { return ::mkdir(path_.c_str(), 0700); });
}

std::vector<std::filesystem::path> RuntimeDir::left_in(const std::filesystem::path& parent) {
  std::vector<std::filesystem::path> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(parent / "w", none))
    found.push_back(entry.path());
  return found;
}

void RuntimeDir::note_wanted_end() const {
  const auto path = path_ / "ending";
  const sys::UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

bool RuntimeDir::take_wanted_end() const {
  std::error_code ignored;
  return std::filesystem::remove(path_ / "ending", ignored);
}

RuntimeDir::Pipe RuntimeDir::make_pipe(const std::string& name) const {
  const auto path = path_ / name;
  sys::checked("mkfifo " + path.string(), [&] { return ::mkfifo(path.c_str(), 0600); });
  Pipe pipe;
  pipe.read = open_pipe(name);
  pipe.write = open_at(path, O_RDWR);
  return pipe;
}

sys::UniqueFd RuntimeDir::open_pipe(const std::string& name) const {
  return open_at(path_ / name, O_RDONLY | O_NONBLOCK);
}

RuntimeDir::~RuntimeDir() {
  if (path_.empty()) return;
  std::error_code ignored;  // Best effort: the next supervisor clears what is left.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace supervisor::lifecycle
