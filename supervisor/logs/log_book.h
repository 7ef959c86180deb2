// The log of one plugin, over all its generations: its last lines, those who
// follow them, and what it may log at all. Every line goes to the plugin's file
// as well; the first use brings back what an earlier supervisor had put there.
//
// Owned by the plugin's supervision; see LogShelf. Thread-safe: lines come from
// the core thread (pipes) and from gRPC threads (the logger), readers from gRPC.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/logs/line_budget.h"
#include "supervisor/logs/line_splitter.h"
#include "supervisor/logs/log_writer.h"
#include "supervisor/sys/failure.h"

namespace supervisor::logs {

struct LogBookLimits {
  std::size_t max_lines = 2000;  // In memory.
  std::size_t max_bytes = 1u << 20;
  LineRate rate;
};

/// Which lines a reader wants. Unset = all.
struct LineFilter {
  v1::LogLevel min_level = v1::LOG_LEVEL_UNSPECIFIED;
  std::string job;
  std::int64_t since_unix_us = 0;

  [[nodiscard]] bool wants(const v1::LogLine& line) const;
};

class LogBook : public std::enable_shared_from_this<LogBook> {
 public:
  /// Called for each new line that the filter wants, under no lock of the
  /// caller's, on whichever thread appends. Must not block.
  using Follower = std::function<void(const v1::LogLine&)>;
  using FollowerId = std::uint64_t;
  static constexpr std::size_t evidence_lines = 30;
  static constexpr std::size_t max_read_lines = 8000;  // At one time, by one reader.

  /// In memory alone.
  explicit LogBook(LogBookLimits limits = {}) : limits_(limits), budget_(limits.rate) {}
  /// With files. `writer` outlives the book.
  LogBook(std::string plugin, LogBookLimits limits, std::shared_ptr<LogFile> file,
          LogWriter& writer);

  /// Adds a line of the supervisor's own, whatever the rate. Its text must be
  /// printable.
  void append(v1::LogLine line);

  /// A line that the worker printed. Made printable here, unless it is over the
  /// rate: then it is counted, and the count is told in a line. False then.
  bool take_printed(const RawLine& printed, v1::LogSource source, std::uint64_t generation);

  /// Lines that the worker logged. Nothing in them is believed but their words.
  void take_logged(v1::LogBatch batch, std::uint64_t generation);

  /// The last `count` lines (0 = all) of those in memory, oldest first.
  struct Tail {
    std::vector<v1::LogLine> lines;
    /// The reader wants so many more, which only the files may have: those
    /// before the line of this number. 0 = no more.
    std::size_t missing = 0;
    std::uint64_t before = 0;
  };
  /// From then on every line goes to `follower`, when one is given: none is
  /// lost between the two.
  Tail look_back(std::size_t count, const LineFilter& filter = {}, Follower follower = {},
                 FollowerId* id = nullptr);

  /// What `tail` misses, from the files, oldest first. Blocking: parses
  /// megabytes.
  [[nodiscard]] std::vector<v1::LogLine> older(const Tail& tail, const LineFilter& filter) const;

  /// The lines of look_back() alone.
  std::vector<v1::LogLine> tail(std::size_t count, const LineFilter& filter = {},
                                Follower follower = {}, FollowerId* id = nullptr);

  /// After this returns, the follower is not called again.
  void unfollow(FollowerId id);

  /// Texts of the last lines that the worker of `generation` itself printed or
  /// logged: the evidence of a crash. Those over the rate are among them. Half
  /// of them are not of standard output, when there are so many: a flood there
  /// must not hide a traceback.
  std::vector<std::string> last_texts(std::uint64_t generation, std::size_t count);

  /// What is not to be read in any line from now on: a mask stands in its place.
  void hide(std::vector<std::string> secrets);
  /// `text` as it would stand here.
  [[nodiscard]] std::string without_secrets(std::string text);

  /// Lines over the rate, since the start.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Following {
    LineFilter filter;
    Follower follower;
  };
  struct Evidence {
    std::uint64_t generation = 0;
    std::uint64_t order = 0;
    std::string text;  // Raw, if it came so.
  };

  // With the lock held.
  void remember_history();
  void keep(v1::LogLine line);
  void push(NumberedLine line);
  void keep_evidence(v1::LogSource source, std::uint64_t generation, std::string_view text,
                     std::size_t length);
  void drop(std::uint64_t lines, std::size_t bytes, std::uint64_t generation);
  void tell_drops();

  const std::string plugin_;
  const LogBookLimits limits_;
  const std::shared_ptr<LogFile> file_;
  LogWriter* const writer_ = nullptr;

  std::mutex mutex_;
  LineBudget budget_;
  bool history_known_ = false;
  std::vector<std::string> secrets_;
  std::uint64_t last_number_ = 0;
  std::deque<NumberedLine> lines_;
  std::size_t bytes_ = 0;
  std::deque<Evidence> printed_evidence_;  // On standard output.
  std::deque<Evidence> other_evidence_;
  std::uint64_t last_evidence_ = 0;
  FollowerId next_follower_ = 1;
  std::map<FollowerId, Following> followers_;
  std::atomic<std::uint64_t> dropped_{0};
  // Not told yet.
  std::uint64_t untold_lines_ = 0;
  std::uint64_t untold_bytes_ = 0;
  std::uint64_t untold_generation_ = 0;
};

}  // namespace supervisor::logs
