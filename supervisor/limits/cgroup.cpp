#include "supervisor/limits/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <sstream>

#include "supervisor/sys/pidfd.h"
#include "supervisor/sys/syscall.h"

namespace supervisor::limits {
namespace {

constexpr std::size_t largest_file = 1u << 20;

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

}  // namespace

std::unique_ptr<Cgroup> Cgroup::make(Version version, std::filesystem::path directory) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return nullptr;
  return std::unique_ptr<Cgroup>(new Cgroup(version, std::move(directory)));
}

std::unique_ptr<Cgroup> Cgroup::find(Version version, std::filesystem::path directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return nullptr;
  return std::unique_ptr<Cgroup>(new Cgroup(version, std::move(directory)));
}

// Fails when something is left in it: whoever comes next looks again
// (Leftovers).
Cgroup::~Cgroup() { ::rmdir(directory().c_str()); }

bool CgroupFiles::set(const char* file, const std::string& value) const {
  const sys::UniqueFd fd(::open((directory_ / file).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return false;
  const auto put =
      sys::retry_on_eintr([&] { return ::write(fd.get(), value.data(), value.size()); });
  return put == static_cast<ssize_t>(value.size());
}

// Not sys::read_file(): what is absent here is an answer, not an error.
std::string CgroupFiles::read(const char* file) const {
  std::string content;
  const sys::UniqueFd fd(::open((directory_ / file).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return content;
  std::array<char, 4096> buffer{};
  while (content.size() < largest_file) {
    const auto got =
        sys::retry_on_eintr([&] { return ::read(fd.get(), buffer.data(), buffer.size()); });
    if (got <= 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return content;
}

std::optional<std::uint64_t> CgroupFiles::number(const char* file) const {
  return number_in(read(file));
}

std::optional<std::uint64_t> CgroupFiles::entry(const char* file, std::string_view name) const {
  const std::string content = read(file);
  for (std::string_view rest = content; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ')
      return number_in(line.substr(name.size() + 1));
  }
  return std::nullopt;
}

sys::UniqueFd CgroupFiles::way_in() const {
  if (version_ == Version::v1)
    return sys::UniqueFd(::open((directory_ / "tasks").c_str(), O_WRONLY | O_CLOEXEC));
  return sys::UniqueFd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::vector<pid_t> CgroupFiles::processes() const {
  std::vector<pid_t> pids;
  std::istringstream list(read("cgroup.procs"));
  for (pid_t pid = 0; list >> pid;) {
    if (pid > 0) pids.push_back(pid);  // 0 lies outside of our PID namespace.
  }
  return pids;
}

int CgroupFiles::kill_all() const {
  const auto first = processes();
  if (first.empty()) return 0;
  if (version_ == Version::v2 && set("cgroup.kill", "1")) return static_cast<int>(first.size());
  // No more of them from here on, where this is the hierarchy that can say so.
  set("pids.max", "0");
  std::vector<sys::Pidfd> held;
  for (const pid_t pid : processes()) {
    try {
      held.push_back(sys::Pidfd::open(pid));
    } catch (const std::system_error&) {
      // It has ended.
    }
  }
  // One that is still listed is the one that the descriptor was opened for, or
  // that one has ended; its number alone would not tell.
  const auto still = processes();
  int killed = 0;
  for (const auto& process : held) {
    if (std::find(still.begin(), still.end(), process.pid()) == still.end()) continue;
    if (process.send_signal(SIGKILL)) ++killed;
  }
  return killed;
}

}  // namespace supervisor::limits
