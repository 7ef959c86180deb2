// The directory of one launch: its link socket, the pipes of what it prints,
// the record of the intent and that of its end. Gone when this is; left behind
// by a supervisor that is killed, for the next one to find.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/sys/unique_fd.h"

namespace supervisor::lifecycle {

class RuntimeDir {
 public:
  /// Creates `<parent>/w/<name>` with mode 0700. Throws std::system_error.
  RuntimeDir(const std::filesystem::path& parent, const std::string& name);

  /// Takes over one that is there.
  static RuntimeDir adopt(std::filesystem::path path) { return RuntimeDir(std::move(path)); }

  /// Those that are there, in no order.
  static std::vector<std::filesystem::path> left_in(const std::filesystem::path& parent);

  ~RuntimeDir();
  RuntimeDir(RuntimeDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  RuntimeDir& operator=(RuntimeDir&& other) noexcept {
    path_.swap(other.path_);
    return *this;
  }
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;

  /// Leaves it where it is, whatever becomes of this.
  void leave() { path_.clear(); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path socket_path() const { return path_ / "link"; }
  [[nodiscard]] std::filesystem::path exit_record_path() const { return path_ / "exit"; }
  [[nodiscard]] std::filesystem::path launch_record_path() const { return path_ / "launch"; }

  /// Notes that the launch's end is wanted, for a supervisor that comes after
  /// this one: it is no crash then. What cannot be noted is let be.
  void note_wanted_end() const;
  /// Whether that was noted; it is noted no more then.
  [[nodiscard]] bool take_wanted_end() const;

  /// Both ends of a named pipe. A named one, because a supervisor that is
  /// started after ours has died can open it again.
  struct Pipe {
    sys::UniqueFd read;   // Non-blocking.
    sys::UniqueFd write;  // Open for both, so that writing to it never fails for
                          // want of a reader.
  };
  /// Makes the pipe `name`. Throws std::system_error.
  [[nodiscard]] Pipe make_pipe(const std::string& name) const;
  /// The reading end of one that is there. Throws std::system_error.
  [[nodiscard]] sys::UniqueFd open_pipe(const std::string& name) const;

 private:
  explicit RuntimeDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace supervisor::lifecycle
