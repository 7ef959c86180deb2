#include "supervisor/logs/log_book.h"

#include <algorithm>

namespace supervisor::logs {

void LogBook::append(v1::LogLine line) {
  const std::lock_guard lock(mutex_);
  // Followers are called under the lock, so that all see one order; they only
  // push into a queue of their own.
  for (const auto& [id, follower] : followers_) follower(line);
  bytes_ += line.text().size();
  lines_.push_back(std::move(line));
  while (lines_.size() > limits_.max_lines || bytes_ > limits_.max_bytes) {
    bytes_ -= lines_.front().text().size();
    lines_.pop_front();
  }
}

std::vector<v1::LogLine> LogBook::tail(std::size_t count, Follower follower, FollowerId* id) {
  const std::lock_guard lock(mutex_);
  if (follower) {
    *id = next_follower_++;
    followers_.emplace(*id, std::move(follower));
  }
  const std::size_t wanted = count == 0 ? lines_.size() : std::min(count, lines_.size());
  return {lines_.end() - static_cast<std::ptrdiff_t>(wanted), lines_.end()};
}

void LogBook::unfollow(FollowerId id) {
  const std::lock_guard lock(mutex_);
  followers_.erase(id);
}

std::vector<std::string> LogBook::last_texts(std::uint64_t generation, std::size_t count) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> texts;
  for (auto line = lines_.rbegin(); line != lines_.rend() && texts.size() < count; ++line) {
    if (line->generation() == generation && line->source() != v1::LOG_SOURCE_SUPERVISOR)
      texts.push_back(line->text());
  }
  std::reverse(texts.begin(), texts.end());
  return texts;
}

}  // namespace supervisor::logs
