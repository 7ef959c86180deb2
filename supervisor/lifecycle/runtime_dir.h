// The directory of one launch: its link socket. Gone when this is.
#pragma once

#include <filesystem>
#include <string>

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

 private:
  std::filesystem::path path_;
};

}  // namespace supervisor::lifecycle
