#include "supervisor/limits/disk_quota.h"

#include <algorithm>

#include "supervisor/limits/launch_limits.h"

namespace supervisor::limits {
namespace {

/// What a plugin may still add that is at its limit: a file system gives whole
/// blocks, and puts off what it writes of itself.
std::uint64_t margin(std::uint64_t bytes) { return std::max<std::uint64_t>(1u << 20, bytes / 16); }

/// Measures in a row that find it over.
constexpr int measures_to_end = 3;

/// How much must be free again before files may grow.
std::uint64_t room(std::uint64_t bytes) { return bytes / 64; }

}  // namespace

DiskQuota::Verdict DiskQuota::take(const DiskUse& use, const std::string& plugin) {
  const std::lock_guard lock(mutex_);
  used_ = use.bytes;
  if (bytes_ == 0 || failure_) return Verdict::as_before;
  const auto over = [&](const std::string& what) {
    failure_ = make_failure(
        v1::REASON_DISK_LIMIT, "run",
        "The worker of plugin '" + plugin + "' was ended: its data directory " + what + ".",
        "Remove what it does not need, or raise the limit with pluginctl "
        "limits " +
            plugin + " --disk.",
        plugin);
    return Verdict::over;
  };
  if (use.too_deep)
    return over("holds directories more than " + std::to_string(deepest_directory) +
                " levels deep, which cannot be measured");
  if (!full_) {
    if (used_ < bytes_) return Verdict::as_before;
    full_ = refused_ = true;
    when_refused_.reset();
    over_in_a_row_ = 0;
    return Verdict::full;
  }
  if (used_ + room(bytes_) <= bytes_) {
    full_ = false;
    return Verdict::room;
  }
  const auto before = refused_ ? when_refused_ : std::optional(bytes_);
  if (!before) {
    when_refused_ = used_;
    return Verdict::as_before;
  }
  // While it writes back what was put off, a file system (ext4) may count blocks
  // twice for a moment.
  over_in_a_row_ = used_ > *before + margin(bytes_) ? over_in_a_row_ + 1 : 0;
  if (over_in_a_row_ == measures_to_end)
    return over("grew on at its limit, to " + bytes_text(used_) + " of " + bytes_text(bytes_));
  return Verdict::as_before;
}

void DiskQuota::growth_was_not_refused() {
  const std::lock_guard lock(mutex_);
  refused_ = false;
}

bool DiskQuota::is_near() const {
  const std::lock_guard lock(mutex_);
  return bytes_ != 0 && used_ >= bytes_ - bytes_ / 4;
}

bool DiskQuota::is_full() const {
  const std::lock_guard lock(mutex_);
  return full_;
}

std::optional<Failure> DiskQuota::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void DiskQuota::report(v1::LimitsReport& report) const {
  const std::lock_guard lock(mutex_);
  report.set_disk_bytes(bytes_);
  report.set_disk_by(bytes_ == 0 ? v1::LIMIT_MECHANISM_NONE : v1::LIMIT_MECHANISM_MEASURING);
  report.set_disk_used_bytes(used_);
  report.set_disk_full(full_);
}

}  // namespace supervisor::limits
