#include "supervisor/lifecycle/left_launch.h"

#include <sys/stat.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <thread>

#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/file.h"
#include "supervisor/sys/process_tree.h"

namespace supervisor::lifecycle {
namespace {

using namespace std::chrono_literals;

// A spawner that was asked in its supervisor's last moment forks all the same.
constexpr auto fork_patience = 500ms;

/// The process `pid`, if it is the init that holds `exit_record` open. What is
/// opened first and looked at then cannot be another process by the time.
sys::Pidfd proven_init(pid_t pid, const std::filesystem::path& exit_record) {
  try {
    auto process = sys::Pidfd::open(pid);
    struct stat ours {};
    struct stat theirs {};
    // The init's one descriptor (plugin_init.cpp); stat() follows the link.
    const auto held = "/proc/" + std::to_string(pid) + "/fd/3";
    if (::stat(exit_record.c_str(), &ours) != 0 || ::stat(held.c_str(), &theirs) != 0) return {};
    if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino) return {};
    return process;
  } catch (const std::system_error&) {
    return {};  // It has ended.
  }
}

std::optional<v1::LaunchRecord> read_record(const std::filesystem::path& path) {
  v1::LaunchRecord record;
  try {
    if (record.ParseFromString(sys::read_file(path, 65536))) return record;
  } catch (const std::exception&) {
    // Killed before it was written: nothing of a plugin was forked.
  }
  return std::nullopt;
}

// What was forked before it had a plugin ends by itself when its supervisor
// does; but it may have been stopped.
void end_spare(const RuntimeDir& directory) {
  const auto exit = ExitRecord::read(directory.exit_record_path());
  if (exit.init_pid <= 0) return;
  if (const auto init = proven_init(exit.init_pid, directory.exit_record_path()))
    sys::kill_with_descendants(init, exit.pid_namespace);
}

}  // namespace

std::string boot_id() {
  try {
    auto id = sys::read_file("/proc/sys/kernel/random/boot_id", 128);
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
  } catch (const std::exception&) {
    return {};
  }
}

LeftLaunches find_left_launches(const std::filesystem::path& runtime_dir) {
  LeftLaunches left;
  const auto boot = boot_id();
  const auto until = std::chrono::steady_clock::now() + fork_patience;
  for (const auto& path : RuntimeDir::left_in(runtime_dir)) {
    auto directory = RuntimeDir::adopt(path);  // Removes it unless it is kept below.
    auto record = read_record(directory.launch_record_path());
    if (!record) end_spare(directory);
    if (!record || record->boot_id() != boot) continue;
    if (record->version() != 1) {
      // Of a supervisor that knows more than this one: not ours to judge.
      logs::log_event(spdlog::level::warn, "launch.doubtful",
                      {{"directory", path.string()}, {"version", record->version()}});
      directory.leave();
      continue;
    }
    auto exit = ExitRecord::read(directory.exit_record_path());
    while (exit.init_pid == 0 && exit.failed_step.empty() &&
           std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(10ms);
      exit = ExitRecord::read(directory.exit_record_path());
    }
    sys::Pidfd init;
    if (exit.init_pid > 0) init = proven_init(exit.init_pid, directory.exit_record_path());
    logs::log_event(spdlog::level::info, "launch.left",
                    {{"plugin", record->plugin()},
                     {"generation", record->generation()},
                     {"init_pid", exit.init_pid},
                     {"alive", static_cast<bool>(init)}});
    // It never began, and now cannot: its way home is gone with the directory.
    if (exit.init_pid == 0) {
      left.never_begun.push_back(std::move(*record));
      continue;
    }
    left.begun.push_back(
        {std::move(*record), std::move(directory), std::move(exit), std::move(init)});
  }
  return left;
}

std::uint64_t first_free_launch(const std::filesystem::path& runtime_dir) {
  std::uint64_t first = 1;
  for (const auto& path : RuntimeDir::left_in(runtime_dir)) {
    const std::string name = path.filename().string();
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec == std::errc() && number >= first) first = number + 1;
  }
  return first;
}

}  // namespace supervisor::lifecycle
