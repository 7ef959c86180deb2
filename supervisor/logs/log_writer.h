// Puts the lines of all plugins into their files, on a thread of its own: a
// slow disk delays neither the core thread nor a call.
//
// One per supervisor, owned by the LogShelf. What has been put is written at
// once, or 2 ms after the batch before it; so much is lost when the supervisor
// is killed. There is no fsync: a machine that loses power loses what it had
// not written yet.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "supervisor/logs/log_file.h"
#include "supervisor/logs/stored_line.h"

namespace supervisor::logs {

class LogWriter {
 public:
  /// What may wait for a disk; more is not written, and counted.
  static constexpr std::size_t max_queued_bytes = 64u << 20;

  LogWriter();
  ~LogWriter();  // Writes what waits.
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Any thread; does not wait for the disk. `plugin` is the line's.
  void put(const std::shared_ptr<LogFile>& file, const std::string& plugin, NumberedLine line);

  /// Has `what` called on the writer's thread, in about a second.
  void remind(std::function<void()> what);

  /// Lines that could not be written, since the start.
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  struct Waiting {
    std::shared_ptr<LogFile> file;
    std::string plugin;
    NumberedLine line;
  };
  using Clock = std::chrono::steady_clock;

  void write_until_closed();
  void write(std::vector<Waiting> batch);
  void tell_of_failure(const std::string& error);

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::vector<Waiting> queue_;
  std::size_t queued_bytes_ = 0;
  std::vector<std::function<void()>> reminders_;
  Clock::time_point remind_at_ = Clock::time_point::max();
  bool idle_ = false;
  bool closing_ = false;
  std::atomic<std::uint64_t> lost_{0};
  Clock::time_point told_{};  // Of a failure, last; the writer's thread only.
  std::thread thread_;
};

}  // namespace supervisor::logs
