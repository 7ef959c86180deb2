// The directory of one launch: its link socket, the pipes of what it prints,
// and the record of its end. Gone when this is.
#pragma once

#include <filesystem>
#include <string>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::lifecycle {

class RuntimeDir {
 public:
  /// Creates `<parent>/w/<name>` with mode 0700, replacing what a killed
  /// supervisor left there. Throws std::system_error.
  RuntimeDir(const std::filesystem::path& parent, const std::string& name);
  ~RuntimeDir();
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;

  [[nodiscard]] std::filesystem::path socket_path() const { return path_ / "link"; }
  [[nodiscard]] std::filesystem::path exit_record_path() const { return path_ / "exit"; }

  /// Both ends of a named pipe. A named one, because a supervisor that is
  /// started after ours has died can open it again.
  struct Pipe {
    sys::UniqueFd read;   // Non-blocking.
    sys::UniqueFd write;  // Open for both, so that writing to it never fails for
                          // want of a reader.
  };
  /// Makes the pipe `name`. Throws std::system_error.
  [[nodiscard]] Pipe make_pipe(const std::string& name) const;

 private:
  std::filesystem::path path_;
};

}  // namespace supervisor::lifecycle
