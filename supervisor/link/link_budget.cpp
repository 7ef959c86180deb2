#include "supervisor/link/link_budget.h"

#include <algorithm>

namespace supervisor::link {
namespace {

namespace v1 = plugin_supervisor::v1;

using Seconds = std::chrono::duration<double>;

double refilled(double left, std::uint64_t rate, double seconds) {
  return std::min(left + seconds * static_cast<double>(rate), static_cast<double>(rate));
}

// Seconds until nothing is owed.
double wait_for(double left, std::uint64_t rate) {
  return rate == 0 || left >= 0 ? 0 : -left / static_cast<double>(rate);
}

std::uint64_t cost_of(const v1::WorkerFrame& frame) {
  switch (frame.frame_case()) {
    case v1::WorkerFrame::kLog:  // Looked at line by line.
      return 1 + static_cast<std::uint64_t>(frame.log().lines_size());
    case v1::WorkerFrame::kProgress:  // Everybody who watches is told.
    case v1::WorkerFrame::kEvent:
      return 10;
    case v1::WorkerFrame::kHostCall:  // The thread that decides has a part in these,
      return 20;
    case v1::WorkerFrame::kTask:  // and the database in this.
      return 100;
    case v1::WorkerFrame::kLoaded:
    case v1::WorkerFrame::kLoadFailed:
    case v1::WorkerFrame::kMetadataChanged:
    case v1::WorkerFrame::kStacks:
    case v1::WorkerFrame::kStopped:
      return 1000;
    default:
      return 1;
  }
}

}  // namespace

std::uint64_t cost_of(const v1::WorkerBatch& batch) {
  std::uint64_t cost = 0;
  for (const auto& frame : batch.frames()) cost += cost_of(frame);
  return cost;
}

LinkBudget::LinkBudget(LinkRate rate)
    : rate_(rate),
      frames_(static_cast<double>(rate.frames_per_second)),
      bytes_(static_cast<double>(rate.bytes_per_second)) {}

LinkBudget::Clock::duration LinkBudget::spend(std::uint64_t frames, std::size_t bytes,
                                              Clock::time_point now) {
  if (refilled_ != Clock::time_point{}) {
    const double seconds = Seconds(now - refilled_).count();
    frames_ = refilled(frames_, rate_.frames_per_second, seconds);
    bytes_ = refilled(bytes_, rate_.bytes_per_second, seconds);
  }
  refilled_ = now;
  frames_ -= static_cast<double>(frames);
  bytes_ -= static_cast<double>(bytes);
  const double seconds = std::max(wait_for(frames_, rate_.frames_per_second),
                                  wait_for(bytes_, rate_.bytes_per_second));
  return std::min<Clock::duration>(longest_wait,
                                   std::chrono::duration_cast<Clock::duration>(Seconds(seconds)));
}

}  // namespace supervisor::link
