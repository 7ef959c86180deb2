#include "supervisor/limits/launch_limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>

#include "supervisor/sys/open_files.h"
#include "supervisor/sys/process_stat.h"

namespace supervisor::limits {
namespace {

constexpr std::uint64_t cpu_period_us = 100'000;
constexpr std::uint64_t least_quota_us = 1000;  // Less is refused (sched-bwc).
// A group without a limit shows a number near this one.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 60;

std::uint64_t quota_us(double cpus) {
  const auto quota = std::llround(cpus * static_cast<double>(cpu_period_us));
  return std::max(least_quota_us, static_cast<std::uint64_t>(quota));
}

bool is_v2(const Cgroup& group) { return group.version() == Cgroup::Version::v2; }

v1::LimitMechanism mechanism(const Cgroup* group, bool limited, v1::LimitMechanism otherwise) {
  if (!limited) return v1::LIMIT_MECHANISM_NONE;
  if (group == nullptr) return otherwise;
  return is_v2(*group) ? v1::LIMIT_MECHANISM_CGROUP_V2 : v1::LIMIT_MECHANISM_CGROUP_V1;
}

bool has_ended(pid_t process) {
  const auto stat = sys::process_stat(process);
  return !stat || stat->state == 'Z' || stat->state == 'X';
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MiB", static_cast<double>(bytes) / (1u << 20));
  return text.data();
}

LaunchLimits::LaunchLimits(const LimitSupport& support, std::string plugin,
                           std::uint64_t generation, const Limits& limits)
    : LaunchLimits(support, plugin, LimitSupport::group_name(plugin, generation), limits,
                   Origin::made) {}

std::unique_ptr<LaunchLimits> LaunchLimits::spare(const LimitSupport& support, std::string group,
                                                  const Limits& limits) {
  return std::unique_ptr<LaunchLimits>(
      new LaunchLimits(support, {}, std::move(group), limits, Origin::made));
}

std::unique_ptr<LaunchLimits> LaunchLimits::adopt(const LimitSupport& support, std::string plugin,
                                                  std::string group, const Limits& limits) {
  return std::unique_ptr<LaunchLimits>(
      new LaunchLimits(support, std::move(plugin), std::move(group), limits, Origin::adopted));
}

LaunchLimits::LaunchLimits(const LimitSupport& support, std::string plugin, std::string group,
                           const Limits& limits, Origin origin)
    : name_(std::move(group)),
      leftovers_(support.leftovers()),
      limits_(limits),
      disk_(limits.disk_bytes),
      plugin_(std::move(plugin)) {
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) == 0 && limits_.open_files > now.rlim_max)
    limits_.open_files = static_cast<std::uint32_t>(now.rlim_max);
  if (!support.unified().empty())
    find_group(v1::LIMIT_MECHANISM_CGROUP_V2, support.unified(), origin);
  // Also without a limit: they tell what is used, and who is left.
  memory_ = find_group(support.memory().by, support.memory().parent, origin);
  processes_ = find_group(support.processes().by, support.processes().parent, origin);
  if (limits_.cpus > 0 || origin == Origin::adopted)
    cpus_ = find_group(support.cpus().by, support.cpus().parent, origin);
  if (origin == Origin::made) {
    write_limits();
  } else {
    read_limits();
  }
}

LaunchLimits::~LaunchLimits() {
  for (auto& group : groups_) remove(std::move(group));
}

void LaunchLimits::remove(std::unique_ptr<Cgroup> group) const {
  auto directory = group->directory();
  group.reset();
  if (::access(directory.c_str(), F_OK) == 0) leftovers_->add(std::move(directory));
}

void LaunchLimits::assign(std::string plugin) {
  const std::lock_guard lock(mutex_);
  plugin_ = std::move(plugin);
}

const Cgroup* LaunchLimits::find_group(v1::LimitMechanism by, const std::filesystem::path& parent,
                                       Origin origin) {
  if (parent.empty() || name_.empty()) return nullptr;
  const auto directory = parent / name_;
  for (const auto& known : groups_)
    if (known->directory() == directory) return known.get();
  const auto version =
      by == v1::LIMIT_MECHANISM_CGROUP_V2 ? Cgroup::Version::v2 : Cgroup::Version::v1;
  auto made =
      origin == Origin::made ? Cgroup::make(version, directory) : Cgroup::find(version, directory);
  if (!made) return nullptr;
  groups_.push_back(std::move(made));
  return groups_.back().get();
}

void LaunchLimits::write_limits() {
  if (memory_ != nullptr && limits_.memory_bytes != 0) {
    const auto text = std::to_string(limits_.memory_bytes);
    const bool v2 = is_v2(*memory_);
    if (!memory_->set(v2 ? "memory.max" : "memory.limit_in_bytes", text)) memory_ = nullptr;
    // Swapped out is used all the same. Not every kernel counts it.
    if (memory_ != nullptr && v2) memory_->set("memory.swap.max", "0");
    if (memory_ != nullptr && !v2) memory_->set("memory.memsw.limit_in_bytes", text);
  }
  if (processes_ != nullptr && limits_.processes != 0 &&
      !processes_->set("pids.max", std::to_string(limits_.processes)))
    processes_ = nullptr;
  if (cpus_ != nullptr && limits_.cpus > 0) {
    const auto quota = std::to_string(quota_us(limits_.cpus));
    if (!(is_v2(*cpus_) ? cpus_->set("cpu.max", quota + " " + std::to_string(cpu_period_us))
                        : cpus_->set("cpu.cfs_quota_us", quota)))
      cpus_ = nullptr;
  }
}

void LaunchLimits::read_limits() {
  if (memory_ != nullptr) {
    const auto limit = memory_->number(is_v2(*memory_) ? "memory.max" : "memory.limit_in_bytes");
    limits_.memory_bytes = limit && *limit < no_limit ? *limit : 0;
  }
  if (processes_ != nullptr)
    limits_.processes = static_cast<std::uint32_t>(processes_->number("pids.max").value_or(0));
  if (cpus_ == nullptr) return;
  const auto quota = cpus_->number(is_v2(*cpus_) ? "cpu.max" : "cpu.cfs_quota_us");
  limits_.cpus = static_cast<double>(quota.value_or(0)) / static_cast<double>(cpu_period_us);
}

LaunchLimits::WayIn LaunchLimits::way_in() const {
  WayIn way;
  for (const auto& group : groups_) {
    auto fd = group->way_in();
    if (!fd) continue;  // confirm() will find out.
    if (is_v2(*group)) {
      way.group = std::move(fd);
    } else {
      way.tasks.push_back(std::move(fd));
    }
  }
  return way;
}

DiskQuota::Verdict LaunchLimits::take_disk_use(const DiskUse& use) {
  const std::lock_guard lock(mutex_);
  return disk_.take(use, plugin_);
}

std::filesystem::path LaunchLimits::unified_group() const {
  const std::lock_guard lock(mutex_);
  for (const auto& group : groups_)
    if (is_v2(*group)) return group->directory();
  return {};
}

std::optional<std::vector<pid_t>> LaunchLimits::processes() const {
  const std::lock_guard lock(mutex_);
  if (groups_.empty()) return std::nullopt;
  return groups_.front()->processes();
}

std::optional<std::uint64_t> LaunchLimits::processor_time_us() const {
  const std::lock_guard lock(mutex_);
  // Of version 2 every group counts it, whoever has the controller.
  for (const auto& group : groups_)
    if (is_v2(*group)) return group->entry("cpu.stat", "usage_usec");
  return std::nullopt;
}

void LaunchLimits::confirm(pid_t worker) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = groups_.size(); i-- > 0;) {
    const auto inside = groups_[i]->processes();
    if (std::find(inside.begin(), inside.end(), worker) != inside.end()) continue;
    // One that has ended by now is in no group, and its own knows of what.
    if (has_ended(worker)) return;
    give_up(i);
  }
}

void LaunchLimits::give_up(std::size_t index) {
  const auto place = groups_.begin() + static_cast<std::ptrdiff_t>(index);
  for (const auto** use : {&memory_, &processes_, &cpus_})
    if (*use == place->get()) *use = nullptr;
  remove(std::move(*place));
  groups_.erase(place);
}

bool LaunchLimits::needs_samples() const {
  const std::lock_guard lock(mutex_);
  return (memory_ == nullptr && limits_.memory_bytes != 0) ||
         (processes_ == nullptr && limits_.processes != 0);
}

bool LaunchLimits::is_over_memory(const Usage& usage) const {
  const std::lock_guard lock(mutex_);
  return memory_ == nullptr && limits_.memory_bytes != 0 &&
         usage.memory_bytes > limits_.memory_bytes;
}

bool LaunchLimits::is_over_processes(const Usage& usage) const {
  const std::lock_guard lock(mutex_);
  return processes_ == nullptr && limits_.processes != 0 && usage.processes > limits_.processes;
}

std::optional<std::string> LaunchLimits::take_sample(const Usage& usage) {
  const bool over_memory = is_over_memory(usage);
  // Too many processes also take much memory: they are what came first.
  const bool over_processes = is_over_processes(usage);
  const std::lock_guard lock(mutex_);
  // By a tenth of what it may have.
  const auto is_leap = [](std::uint64_t before, std::uint64_t now, std::uint64_t limit) {
    return limit != 0 && now > before && (now - before) > limit / 10;
  };
  grows_fast_ = sampled_.processes != 0 &&
                (is_leap(sampled_.processes, usage.processes, limits_.processes) ||
                 is_leap(sampled_.memory_bytes, usage.memory_bytes, limits_.memory_bytes));
  sampled_ = usage;
  if (excess_ || (!over_memory && !over_processes)) return std::nullopt;
  if (over_processes) {
    excess_ = make_failure(v1::REASON_TOO_MANY_PROCESSES, "run",
                           "The worker of plugin '" + plugin_ + "' was ended: it had " +
                               std::to_string(usage.processes) + " processes and threads, " +
                               std::to_string(limits_.processes) + " are its limit.",
                           "Raise it with pluginctl limits " + plugin_ +
                               " --processes, or look for what the plugin starts.",
                           plugin_);
  } else {
    excess_ = make_failure(v1::REASON_OUT_OF_MEMORY, "run",
                           "The worker of plugin '" + plugin_ + "' was ended: it used " +
                               bytes_text(usage.memory_bytes) + " of memory, its limit is " +
                               bytes_text(limits_.memory_bytes) + ".",
                           "Raise it with pluginctl limits " + plugin_ +
                               " --memory, or look for what the plugin keeps.",
                           plugin_);
  }
  return excess_->message();
}

bool LaunchLimits::grows_fast() const {
  const std::lock_guard lock(mutex_);
  return grows_fast_ && !excess_;
}

std::uint64_t LaunchLimits::memory_kills() const {
  if (memory_ == nullptr) return 0;
  return memory_->entry(is_v2(*memory_) ? "memory.events" : "memory.oom_control", "oom_kill")
      .value_or(0);
}

std::uint64_t LaunchLimits::refused_forks() const {
  return processes_ == nullptr ? 0 : processes_->entry("pids.events", "max").value_or(0);
}

// The machine as a whole may have been what ran out of memory.
bool LaunchLimits::reached_memory_limit() const {
  if (limits_.memory_bytes == 0) return false;
  if (is_v2(*memory_)) return memory_->entry("memory.events", "max").value_or(0) > 0;
  // memory.failcnt would tell, but stays 0 on recent kernels. What is charged at
  // a time is far less than a MiB.
  const auto most = memory_->number("memory.max_usage_in_bytes").value_or(0);
  return most + (1u << 20) >= limits_.memory_bytes;
}

std::uint64_t LaunchLimits::Counter::look(std::uint64_t now) {
  const auto count = now > noticed ? 0 : noticed - survived;
  survived += count;
  noticed = now;
  return count;
}

std::vector<std::string> LaunchLimits::look() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> said;
  if (const auto kills = kills_.look(memory_kills()); kills > 0)
    said.push_back("the kernel ended " + std::to_string(kills) +
                   (kills == 1 ? " process" : " processes") +
                   " that the plugin had started, for want of memory (limit " +
                   bytes_text(limits_.memory_bytes) + ")");
  if (const auto refusals = refusals_.look(refused_forks()); refusals > 0)
    said.push_back("the kernel refused " + std::to_string(refusals) +
                   (refusals == 1 ? " start" : " starts") + " of a process or thread: " +
                   std::to_string(limits_.processes) + " are the plugin's limit");
  return said;
}

void LaunchLimits::begin_again() {
  const std::lock_guard lock(mutex_);
  kills_.survived = kills_.noticed = memory_kills();
  refusals_.survived = refusals_.noticed = refused_forks();
}

std::optional<Failure> LaunchLimits::cause(bool signalled, int code) const {
  const std::lock_guard lock(mutex_);
  if (excess_) return excess_;
  if (auto over = disk_.failure()) return over;
  if (signalled && code == SIGKILL && memory_kills() > kills_.survived) {
    const bool own_limit = reached_memory_limit();
    return make_failure(
        v1::REASON_OUT_OF_MEMORY, "run",
        "The worker of plugin '" + plugin_ + "' was ended by the kernel " +
            (own_limit ? "at its memory limit of " + bytes_text(limits_.memory_bytes)
                       : std::string("because the machine was out of memory")) +
            ".",
        own_limit ? "Raise it with pluginctl limits " + plugin_ +
                        " --memory, or look for what the plugin keeps."
                  : "See what else uses the machine's memory.",
        plugin_);
  }
  // Who sends SIGKILL has other reasons; what runs into the limit aborts, or
  // exits.
  const bool failed = signalled ? code != SIGKILL && code != SIGTERM : code != 0;
  if (failed && refused_forks() > refusals_.survived)
    return make_failure(v1::REASON_TOO_MANY_PROCESSES, "run",
                        "The worker of plugin '" + plugin_ +
                            "' ended after it had been refused processes or threads: " +
                            std::to_string(limits_.processes) + " are its limit.",
                        "Raise it with pluginctl limits " + plugin_ +
                            " --processes, or look for what the plugin starts.",
                        plugin_);
  return std::nullopt;
}

Usage LaunchLimits::used() const {
  Usage usage = sampled_;
  if (memory_ != nullptr) {
    const bool v2 = is_v2(*memory_);
    usage.memory_bytes =
        memory_->number(v2 ? "memory.current" : "memory.usage_in_bytes").value_or(0);
    // Cached files are given back when memory is short.
    const auto cache =
        memory_->entry("memory.stat", v2 ? "inactive_file" : "total_inactive_file").value_or(0);
    usage.memory_bytes -= std::min(cache, usage.memory_bytes);
  }
  if (processes_ != nullptr)
    usage.processes = static_cast<std::uint32_t>(processes_->number("pids.current").value_or(0));
  return usage;
}

void LaunchLimits::report(v1::LimitsReport& report, pid_t worker, bool usage) const {
  const std::lock_guard lock(mutex_);
  report.set_memory_bytes(limits_.memory_bytes);
  report.set_cpus(limits_.cpus);
  report.set_processes(limits_.processes);
  report.set_open_files(limits_.open_files);
  report.set_memory_by(mechanism(memory_, limits_.memory_bytes != 0, v1::LIMIT_MECHANISM_SAMPLING));
  report.set_processes_by(
      mechanism(processes_, limits_.processes != 0, v1::LIMIT_MECHANISM_SAMPLING));
  report.set_cpus_by(mechanism(cpus_, limits_.cpus > 0, v1::LIMIT_MECHANISM_NONE));
  report.set_open_files_by(limits_.open_files == 0 ? v1::LIMIT_MECHANISM_NONE
                                                   : v1::LIMIT_MECHANISM_RLIMIT);
  disk_.report(report);
  if (!usage) return;
  const auto now = used();
  report.set_memory_used_bytes(now.memory_bytes);
  report.set_processes_used(now.processes);
  if (worker != 0) report.set_open_files_used(sys::open_files(worker));
}

int LaunchLimits::kill_all() const {
  const std::lock_guard lock(mutex_);
  // One that can say "no more" first.
  int killed = processes_ == nullptr ? 0 : processes_->kill_all();
  for (const auto& group : groups_)
    if (group.get() != processes_) killed = std::max(killed, group->kill_all());
  return killed;
}

bool LaunchLimits::is_empty() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(groups_.begin(), groups_.end(),
                     [](const auto& group) { return group->is_empty(); });
}

}  // namespace supervisor::limits
