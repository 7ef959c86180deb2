#include "supervisor/logs/log_book.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "supervisor/logs/job_mark.h"
#include "supervisor/logs/printable_text.h"
#include "supervisor/sys/secret_settings.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::logs {
namespace {

// What the first use reads of the files: a few hundred lines, in well under a
// millisecond.
constexpr std::size_t history_bytes = 64u << 10;
constexpr std::size_t max_name = 200;

v1::LogLevel known_level(v1::LogLevel told) {
  const int level = std::clamp(static_cast<int>(told) / 10 * 10, 10, 50);
  return static_cast<v1::LogLevel>(level);
}

// Lines wait in the worker for moments, not for hours.
std::int64_t believable_time(std::int64_t told) {
  constexpr std::int64_t minute = 60'000'000;
  const auto now = sys::unix_us();
  return told > now - 10 * minute && told <= now + minute ? told : now;
}

}  // namespace

bool LineFilter::wants(const v1::LogLine& line) const {
  return line.level() >= min_level && (job.empty() || line.job() == job) &&
         line.time_unix_us() >= since_unix_us;
}

LogBook::LogBook(std::string plugin, LogBookLimits limits, std::shared_ptr<LogFile> file,
                 LogWriter& writer)
    : plugin_(std::move(plugin)),
      limits_(limits),
      file_(std::move(file)),
      writer_(&writer),
      budget_(limits.rate) {}

void LogBook::remember_history() {
  if (history_known_) return;
  history_known_ = true;
  if (!file_) return;
  for (const auto& json : file_->tail(history_bytes)) {
    auto numbered = parse_stored_line(json);
    if (!numbered) continue;
    last_number_ = std::max(last_number_, numbered->number);
    if (numbered->line.source() != v1::LOG_SOURCE_SUPERVISOR)
      keep_evidence(numbered->line.source(), numbered->line.generation(), numbered->line.text(),
                    numbered->line.text().size());
    push(std::move(*numbered));
  }
}

void LogBook::push(NumberedLine line) {
  bytes_ += line.line.text().size();
  lines_.push_back(std::move(line));
  while (lines_.size() > limits_.max_lines || bytes_ > limits_.max_bytes) {
    bytes_ -= lines_.front().line.text().size();
    lines_.pop_front();
  }
}

void LogBook::keep(v1::LogLine line) {
  remember_history();
  // Followers are called under the lock, so that all see one order; they only
  // push into a queue of their own.
  for (const auto& [id, following] : followers_)
    if (following.filter.wants(line)) following.follower(line);
  NumberedLine numbered{++last_number_, std::move(line)};
  if (writer_ != nullptr) writer_->put(file_, plugin_, numbered);
  push(std::move(numbered));
}

void LogBook::append(v1::LogLine line) {
  const std::lock_guard lock(mutex_);
  tell_drops();
  line.set_text(sys::without_secrets(std::move(*line.mutable_text()), secrets_));
  keep(std::move(line));
}

void LogBook::hide(std::vector<std::string> secrets) {
  const std::lock_guard lock(mutex_);
  secrets_ = std::move(secrets);
}

std::string LogBook::without_secrets(std::string text) {
  const std::lock_guard lock(mutex_);
  return sys::without_secrets(std::move(text), secrets_);
}

bool LogBook::take_printed(const RawLine& printed, v1::LogSource source, std::uint64_t generation) {
  RawLine raw = printed;
  const auto job = take_job_mark(raw.head);
  raw.length -= printed.head.size() - raw.head.size();
  const std::lock_guard lock(mutex_);
  remember_history();
  std::string masked;
  if (!secrets_.empty()) {
    masked = sys::without_secrets(std::string(raw.head), secrets_);
    if (masked != raw.head) {
      raw.length = raw.length - raw.head.size() + masked.size();
      raw.head = masked;
    }
  }
  keep_evidence(source, generation, raw.head, raw.length);
  if (!budget_.spend(raw.head.size(), LineBudget::Clock::now())) {
    drop(1, raw.length, generation);
    return false;
  }
  tell_drops();
  v1::LogLine line;
  line.set_time_unix_us(sys::unix_us());
  line.set_level(source == v1::LOG_SOURCE_STDERR ? v1::LOG_LEVEL_WARNING : v1::LOG_LEVEL_INFO);
  line.set_source(source);
  line.set_generation(generation);
  line.set_job(job.data(), job.size());
  line.set_text(printable_line(raw));
  keep(std::move(line));
  return true;
}

void LogBook::take_logged(v1::LogBatch batch, std::uint64_t generation) {
  const auto now = LineBudget::Clock::now();
  const std::lock_guard lock(mutex_);
  remember_history();
  for (auto& line : *batch.mutable_lines()) {
    line.set_text(sys::without_secrets(std::move(*line.mutable_text()), secrets_));
    const std::size_t bytes = line.text().size();
    keep_evidence(v1::LOG_SOURCE_LOGGER, generation, line.text(), bytes);
    if (!budget_.spend(std::min(bytes, max_line_bytes), now)) {
      drop(1, bytes, generation);
      continue;
    }
    tell_drops();
    line.set_text(printable_text(line.text()));
    line.set_logger(printable_text(line.logger(), max_name));
    line.set_job(printable_text(line.job(), max_name));
    line.set_generation(generation);
    line.set_time_unix_us(believable_time(line.time_unix_us()));
    line.set_level(known_level(line.level()));
    line.set_source(v1::LOG_SOURCE_LOGGER);
    keep(std::move(line));
  }
  // The worker's own queue was full.
  if (batch.dropped() > 0) drop(batch.dropped(), 0, generation);
}

void LogBook::drop(std::uint64_t lines, std::size_t bytes, std::uint64_t generation) {
  dropped_ += lines;
  const bool is_first = untold_lines_ == 0;
  untold_lines_ += lines;
  untold_bytes_ += bytes;
  untold_generation_ = generation;
  // Told in a moment, for all that follow until then.
  if (is_first && writer_ != nullptr)
    writer_->remind([self = weak_from_this()] {
      const auto book = self.lock();
      if (!book) return;
      const std::lock_guard lock(book->mutex_);
      book->tell_drops();
    });
}

void LogBook::tell_drops() {
  if (untold_lines_ == 0) return;
  v1::LogLine line;
  line.set_time_unix_us(sys::unix_us());
  line.set_level(v1::LOG_LEVEL_WARNING);
  line.set_source(v1::LOG_SOURCE_SUPERVISOR);
  line.set_generation(untold_generation_);
  line.set_text(std::to_string(untold_lines_) + " log lines (" + std::to_string(untold_bytes_) +
                " bytes) were dropped: the plugin logs faster than it may");
  untold_lines_ = 0;
  untold_bytes_ = 0;
  keep(std::move(line));
}

void LogBook::keep_evidence(v1::LogSource source, std::uint64_t generation, std::string_view text,
                            std::size_t length) {
  auto& evidence = source == v1::LOG_SOURCE_STDOUT ? printed_evidence_ : other_evidence_;
  if (evidence.size() >= evidence_lines) {
    // The oldest one's memory serves again: a flood passes here line by line.
    evidence.push_back(std::move(evidence.front()));
    evidence.pop_front();
  } else {
    evidence.emplace_back();
  }
  auto& kept = evidence.back();
  kept.generation = generation;
  kept.order = ++last_evidence_;
  kept.text.assign(text.substr(0, max_line_bytes));
  if (length > kept.text.size()) kept.text += "... (cut, " + std::to_string(length) + " bytes)";
}

LogBook::Tail LogBook::look_back(std::size_t count, const LineFilter& filter, Follower follower,
                                 FollowerId* id) {
  const std::lock_guard lock(mutex_);
  remember_history();
  tell_drops();
  if (follower) {
    *id = next_follower_++;
    followers_.emplace(*id, Following{filter, std::move(follower)});
  }
  count = count == 0 ? max_read_lines : std::min(count, max_read_lines);
  Tail tail;
  for (auto line = lines_.rbegin(); line != lines_.rend() && tail.lines.size() < count; ++line)
    if (filter.wants(line->line)) tail.lines.push_back(line->line);
  std::reverse(tail.lines.begin(), tail.lines.end());
  // Lines are in the order they came in, and so, nearly, in that of their times.
  const bool reaches_back = !file_ || lines_.empty() || lines_.front().number <= 1 ||
                            lines_.front().line.time_unix_us() < filter.since_unix_us;
  if (reaches_back) return tail;
  tail.missing = count - tail.lines.size();
  tail.before = lines_.front().number;
  return tail;
}

std::vector<v1::LogLine> LogBook::tail(std::size_t count, const LineFilter& filter,
                                       Follower follower, FollowerId* id) {
  return look_back(count, filter, std::move(follower), id).lines;
}

std::vector<v1::LogLine> LogBook::older(const Tail& tail, const LineFilter& filter) const {
  std::deque<v1::LogLine> found;
  if (!file_ || tail.missing == 0) return {};
  for (const auto& json : file_->tail(std::numeric_limits<std::size_t>::max())) {
    auto numbered = parse_stored_line(json);
    if (!numbered || numbered->number >= tail.before || !filter.wants(numbered->line)) continue;
    found.push_back(std::move(numbered->line));
    if (found.size() > tail.missing) found.pop_front();
  }
  return {std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())};
}

void LogBook::unfollow(FollowerId id) {
  const std::lock_guard lock(mutex_);
  followers_.erase(id);
}

std::vector<std::string> LogBook::last_texts(std::uint64_t generation, std::size_t count) {
  const std::lock_guard lock(mutex_);
  remember_history();
  // The newest first.
  const auto of_generation = [&](const std::deque<Evidence>& evidence) {
    std::vector<const Evidence*> found;
    for (auto line = evidence.rbegin(); line != evidence.rend(); ++line)
      if (line->generation == generation) found.push_back(&*line);
    return found;
  };
  auto chosen = of_generation(printed_evidence_);
  auto others = of_generation(other_evidence_);
  others.resize(
      std::min(others.size(), std::max(count / 2, count - std::min(count, chosen.size()))));
  chosen.resize(std::min(chosen.size(), count - std::min(count, others.size())));
  chosen.insert(chosen.end(), others.begin(), others.end());
  std::sort(chosen.begin(), chosen.end(),
            [](const auto* one, const auto* other) { return one->order < other->order; });
  std::vector<std::string> texts;
  texts.reserve(chosen.size());
  for (const auto* line : chosen) texts.push_back(printable_text(line->text, max_line_bytes + 100));
  return texts;
}

}  // namespace supervisor::logs
