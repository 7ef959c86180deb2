#include "supervisor/logs/log_writer.h"

#include <unordered_map>

#include "supervisor/logs/structured_log.h"

namespace supervisor::logs {

using namespace std::chrono_literals;

LogWriter::LogWriter() : thread_([this] { write_until_closed(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wanted_.notify_one();
  thread_.join();
}

void LogWriter::put(const std::shared_ptr<LogFile>& file, const std::string& plugin,
                    NumberedLine line) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (queued_bytes_ > max_queued_bytes) {
      ++lost_;
      return;
    }
    queued_bytes_ += line.line.text().size() + sizeof(Waiting);
    queue_.push_back({file, plugin, std::move(line)});
    wake = std::exchange(idle_, false);
  }
  if (wake) wanted_.notify_one();
}

void LogWriter::remind(std::function<void()> what) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (reminders_.empty()) remind_at_ = Clock::now() + 1s;
    reminders_.push_back(std::move(what));
    wake = std::exchange(idle_, false);
  }
  if (wake) wanted_.notify_one();
}

void LogWriter::write_until_closed() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto has_work = [this] {
      return closing_ || !queue_.empty() || (!reminders_.empty() && Clock::now() >= remind_at_);
    };
    while (!has_work()) {
      idle_ = true;
      if (reminders_.empty()) {
        wanted_.wait(lock);
      } else {
        wanted_.wait_until(lock, remind_at_);
      }
    }
    idle_ = false;
    if (!reminders_.empty() && Clock::now() >= remind_at_) {
      auto due = std::exchange(reminders_, {});
      lock.unlock();
      for (const auto& remind : due) remind();
      lock.lock();
    }
    if (queue_.empty()) {
      if (closing_) return;
      continue;
    }
    auto batch = std::exchange(queue_, {});
    queued_bytes_ = 0;
    lock.unlock();
    write(std::move(batch));
    lock.lock();
    // Lines that follow closely leave together.
    wanted_.wait_for(lock, 2ms, [this] { return closing_; });
  }
}

void LogWriter::write(std::vector<Waiting> batch) {
  struct Lines {
    std::string text;
    std::uint64_t count = 0;
  };
  std::unordered_map<LogFile*, Lines> by_file;
  for (const auto& waiting : batch) {
    auto& lines = by_file[waiting.file.get()];
    lines.text += stored_line(waiting.plugin, waiting.line);
    ++lines.count;
  }
  for (const auto& [file, lines] : by_file) {
    try {
      file->append(lines.text);
    } catch (const std::exception& error) {
      lost_ += lines.count;
      tell_of_failure(error.what());
    }
  }
}

void LogWriter::tell_of_failure(const std::string& error) {
  const auto now = Clock::now();
  if (told_ != Clock::time_point{} && now - told_ < 1min) return;
  told_ = now;
  log_event(spdlog::level::err, "plugin_log.not_written",
            {{"error", error}, {"lines_lost", lost_.load()}});
}

}  // namespace supervisor::logs
