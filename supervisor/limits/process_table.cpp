#include "supervisor/limits/process_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <set>

#include "supervisor/sys/file.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::limits {
namespace {

// Not sys::process_stat(): a thousand of these are read at a time.
std::optional<ProcessRow> row_of(const char* number) {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%s/stat", number);
  const sys::UniqueFd fd(::open(path.data(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::array<char, 1024> text{};
  const auto size =
      sys::retry_on_eintr([&] { return ::read(fd.get(), text.data(), text.size() - 1); });
  if (size <= 0) return std::nullopt;
  // The name, field 2, may hold anything: begin behind it.
  const char* at = std::strrchr(text.data(), ')');
  if (at == nullptr) return std::nullopt;
  char state = '?';
  int parent = 0;
  unsigned long threads = 0;
  unsigned long pages = 0;
  // proc(5): 3 state, 4 ppid, 20 num_threads, 24 rss.
  const int got = std::sscanf(at + 1,
                              " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                              "%lu %*d %*u %*u %lu",
                              &state, &parent, &threads, &pages);
  if (got != 4) return std::nullopt;
  static const auto page_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return ProcessRow{static_cast<pid_t>(std::strtol(number, nullptr, 10)), parent,
                    static_cast<std::uint32_t>(threads), pages * page_size};
}

bool parent_less(const ProcessRow& a, const ProcessRow& b) { return a.parent < b.parent; }
bool pid_less(const ProcessRow& a, const ProcessRow& b) { return a.pid < b.pid; }

}  // namespace

ProcessTable::ProcessTable(std::vector<ProcessRow> rows)
    : by_parent_(std::move(rows)), by_pid_(by_parent_) {
  std::sort(by_parent_.begin(), by_parent_.end(), parent_less);
  std::sort(by_pid_.begin(), by_pid_.end(), pid_less);
}

std::vector<ProcessRow> ProcessTable::family(pid_t root) const {
  std::vector<ProcessRow> found;
  ProcessRow wanted;
  wanted.pid = root;
  const auto at = std::lower_bound(by_pid_.begin(), by_pid_.end(), wanted, pid_less);
  if (at == by_pid_.end() || at->pid != root) return found;
  found.push_back(*at);
  // A reading takes a while: numbers may have been used twice meanwhile, and
  // then a process seems to be below itself.
  std::set<pid_t> known{root};
  for (std::size_t i = 0; i < found.size(); ++i) {
    wanted.parent = found[i].pid;
    const auto [first, last] =
        std::equal_range(by_parent_.begin(), by_parent_.end(), wanted, parent_less);
    for (auto child = first; child != last; ++child)
      if (known.insert(child->pid).second) found.push_back(*child);
  }
  return found;
}

Usage ProcessTable::total(const std::vector<ProcessRow>& family) {
  Usage usage;
  for (const auto& row : family) {
    usage.memory_bytes += row.memory_bytes;
    usage.processes += row.threads;
  }
  return usage;
}

ProcessReading::ProcessReading() : proc_(::opendir("/proc")) {}

bool ProcessReading::read_some(int count) {
  if (!proc_) return false;
  while (count > 0) {
    const dirent* entry = ::readdir(proc_.get());
    if (entry == nullptr) return false;
    const char* const name = entry->d_name;
    if (std::isdigit(static_cast<unsigned char>(*name)) == 0) continue;
    if (auto row = row_of(name)) rows_.push_back(*row);
    --count;
  }
  return true;
}

std::uint64_t proportional_memory(const ProcessRow& process) {
  std::string text;
  try {
    text = sys::read_file("/proc/" + std::to_string(process.pid) + "/smaps_rollup", 1u << 16);
  } catch (const std::exception&) {
    return process.memory_bytes;  // It has ended, or we may not look.
  }
  const auto at = text.find("\nPss:");
  if (at == std::string::npos) return process.memory_bytes;
  return std::strtoull(text.c_str() + at + 5, nullptr, 10) * 1024;
}

}  // namespace supervisor::limits
