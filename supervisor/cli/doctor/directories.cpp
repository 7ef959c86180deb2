// The runtime directory and the disk that it is on.
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "supervisor/cli/doctor/probe.h"

namespace supervisor::cli::doctor {
namespace {

constexpr std::uint64_t enough_bytes = 256u << 20;
// "/w/" and the number of a launch, "/link" and the end of the string.
constexpr std::size_t longest_below = 32;

std::filesystem::path nearest_existing(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::exists(path, error) && path.has_relative_path())
    path = path.parent_path();
  return path;
}

Finding runtime_directory(const std::filesystem::path& directory) {
  const std::string name = "runtime directory";
  const std::string cost = "the supervisor cannot start with it; name another with --runtime-dir";
  constexpr auto most = sizeof(sockaddr_un::sun_path) - longest_below;
  if (directory.native().size() > most)
    return {name, Verdict::failed,
            directory.string() + " has " + std::to_string(directory.native().size()) +
                " bytes; sockets below it allow for " + std::to_string(most),
            cost, true};
  const auto existing = nearest_existing(directory);
  if (::access(existing.c_str(), W_OK | X_OK) != 0)
    return {name, Verdict::failed, existing.string() + ": " + std::strerror(errno), cost, true};
  if (existing != directory)
    return {name, Verdict::ok, directory.string() + " is not there yet and can be made", "", true};
  struct stat status {};
  ::stat(directory.c_str(), &status);
  if (!S_ISDIR(status.st_mode))
    return {name, Verdict::failed, directory.string() + " is not a directory", cost, true};
  if (status.st_uid != ::geteuid() && ::geteuid() != 0)
    return {name, Verdict::failed, directory.string() + " belongs to another user", cost, true};
  if ((status.st_mode & 077) != 0)
    return {name, Verdict::failed, directory.string() + " is open to other users",
            "others could reach the supervisor's socket; a supervisor that starts closes it: "
            "chmod 700",
            false};
  return {name, Verdict::ok, directory.string(), "", true};
}

Finding disk(const std::filesystem::path& directory) {
  const auto existing = nearest_existing(directory);
  struct statvfs room {};
  if (::statvfs(existing.c_str(), &room) != 0)
    return {"disk", Verdict::failed, existing.string() + ": " + std::strerror(errno), ""};
  const std::uint64_t left = std::uint64_t{room.f_bavail} * room.f_frsize;
  const std::string detail = std::to_string(left >> 20) + " MiB left at " + existing.string();
  if (left < enough_bytes)
    return {"disk", Verdict::failed, detail, "logs and launches may fail to be written"};
  if (room.f_files != 0 && room.f_favail < 10'000)
    return {"disk", Verdict::failed, std::to_string(room.f_favail) + " inodes left",
            "logs and launches may fail to be written"};
  return {"disk", Verdict::ok, detail};
}

}  // namespace

std::vector<Probe> directory_probes(const Subject& subject) {
  const auto directory = subject.runtime_dir;
  return {{"runtime directory", [directory] { return std::vector{runtime_directory(directory)}; },
           true},
          {"disk", [directory] { return std::vector{disk(directory)}; }}};
}

}  // namespace supervisor::cli::doctor
