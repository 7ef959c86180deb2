// The logs of all plugins: one LogBook each, one directory for their files, and
// the thread that writes them.
//
// One per supervisor, built by main(); outlives every book. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "supervisor/logs/log_book.h"

namespace supervisor::logs {

struct LogOptions {
  std::filesystem::path directory;  // Of the plugins' files.
  LogFileLimits files;
  LogBookLimits books;
};

class LogShelf {
 public:
  /// Makes the directory, closed to others. Throws std::system_error.
  explicit LogShelf(LogOptions options);

  /// The book of a plugin: the same for as long as anybody holds it.
  std::shared_ptr<LogBook> book(const std::string& plugin);

  /// Lines that could not be written to their files.
  [[nodiscard]] std::uint64_t lost() const { return writer_.lost(); }

 private:
  const LogOptions options_;
  LogWriter writer_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<LogBook>> books_;
};

}  // namespace supervisor::logs
