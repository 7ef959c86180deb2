#include "supervisor/logs/line_budget.h"

#include <algorithm>

namespace supervisor::logs {
namespace {

double seconds_of(std::chrono::milliseconds time) {
  return std::chrono::duration<double>(time).count();
}

// At least one line, whatever the rate: or nothing would ever be kept.
double most_lines(const LineRate& rate) {
  return std::max(1.0, rate.lines_per_second * seconds_of(rate.burst));
}

double most_bytes(const LineRate& rate) {
  return std::max(1.0, static_cast<double>(rate.bytes_per_second) * seconds_of(rate.burst));
}

}  // namespace

LineBudget::LineBudget(LineRate rate)
    : rate_(rate), lines_(most_lines(rate)), bytes_(most_bytes(rate)) {}

void LineBudget::refill(Clock::time_point now) {
  if (refilled_ != Clock::time_point{}) {
    const double seconds = std::chrono::duration<double>(now - refilled_).count();
    lines_ = std::min(lines_ + seconds * rate_.lines_per_second, most_lines(rate_));
    bytes_ =
        std::min(bytes_ + seconds * static_cast<double>(rate_.bytes_per_second), most_bytes(rate_));
  }
  refilled_ = now;
}

bool LineBudget::spend(std::size_t bytes, Clock::time_point now) {
  refill(now);
  const bool may = (rate_.lines_per_second == 0 || lines_ >= 1) &&
                   // Any one line is small; a debt of bytes delays the next.
                   (rate_.bytes_per_second == 0 || bytes_ > 0);
  if (!may) return false;
  lines_ -= 1;
  bytes_ -= static_cast<double>(bytes);
  return true;
}

}  // namespace supervisor::logs
