// The files of one plugin's log: <name>.log, and older ones <name>.log.1, .2,
// ... of a bounded size and number.
//
// Not spdlog's rotating sink: that one holds a descriptor and a stdio buffer
// for each log, with thousands of plugins thousands of both, and what is in the
// buffer is lost with the process. Here nothing is open between two batches,
// and a batch is one write(2).
//
// Owned by its LogBook and by what is queued for it. Blocking: used on the
// LogWriter's thread; tail() on any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor::logs {

struct LogFileLimits {
  std::uint64_t file_bytes = 4u << 20;  // Of each; begins the next when passed.
  std::uint32_t files = 3;              // The present one and the older ones.
};

class LogFile {
 public:
  /// Nothing is opened or made. The directory must exist when it is used.
  LogFile(const std::filesystem::path& directory, const std::string& plugin, LogFileLimits limits);

  /// Adds whole lines. Throws std::system_error; part of them may be there then.
  void append(std::string_view lines);

  /// The newest whole lines, oldest first, of at most about `bytes` bytes in
  /// all; from older files too. What cannot be read is left out.
  [[nodiscard]] std::vector<std::string> tail(std::size_t bytes) const;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  [[nodiscard]] std::filesystem::path older(std::uint32_t age) const;
  void append_piece(std::string_view lines);
  void rotate();

  const std::filesystem::path path_;
  const LogFileLimits limits_;
  bool may_end_torn_ = true;  // An earlier process may have died in a write.
};

/// A plugin's key as the name of a file: what is not a letter, a digit, '_',
/// '-' or an inner '.' becomes %XX; a long one is cut and told apart by a hash.
std::string file_name_of(std::string_view key);

}  // namespace supervisor::logs
