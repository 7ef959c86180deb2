// The interpreter of the workers: started, and asked.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "supervisor/cli/doctor/probe.h"

namespace supervisor::cli::doctor {
namespace {

constexpr const char* question =
    "import sys, sysconfig; print(*sys.version_info[:3], "
    "sysconfig.get_config_var('Py_GIL_DISABLED') or 0)";

// What the program prints; it is started without a shell. In the probe's own
// process, which is ended at the deadline with all that it has started.
std::string printed_by(const std::filesystem::path& program) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execl(program.c_str(), program.c_str(), "-I", "-c", question, nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 256> buffer{};
  for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  return text;
}

Finding interpreter(const std::filesystem::path& python) {
  const std::string cost = "no plugin can run; name another with --python";
  const std::string name = "interpreter";
  if (::access(python.c_str(), X_OK) != 0)
    return {name, Verdict::missing, python.string() + ": " + std::strerror(errno), cost, true};
  int major = 0;
  int minor = 0;
  int micro = 0;
  int free_threaded = 0;
  if (std::sscanf(printed_by(python).c_str(), "%d %d %d %d", &major, &minor, &micro,
                  &free_threaded) != 4)
    return {name, Verdict::failed, python.string() + " is no Python that answers", cost, true};
  const std::string version = python.string() + " is Python " + std::to_string(major) + "." +
                              std::to_string(minor) + "." + std::to_string(micro);
  if (major != 3 || minor < 11)
    return {name, Verdict::failed, version + "; 3.11 or newer is needed", cost, true};
  if (free_threaded != 0)
    return {name, Verdict::failed, version + ", built without the GIL", cost, true};
  return {name, Verdict::ok, version, "", true};
}

}  // namespace

std::vector<Probe> interpreter_probes(const Subject& subject) {
  return {{"interpreter", [python = subject.python] { return std::vector{interpreter(python)}; },
           true}};
}

}  // namespace supervisor::cli::doctor
