#include "supervisor/sandbox/system_paths.h"

#include <algorithm>

namespace supervisor::sandbox {

namespace fs = std::filesystem;

const std::vector<fs::path>& system_paths() {
  static const std::vector<fs::path> paths{
      "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
      // The dynamic linker, and links between programs of one name.
      "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
      // Names.
      "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
      "/etc/services", "/etc/protocols", "/etc/mime.types",
      // Trust.
      "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki",
      "/etc/crypto-policies",
      // Time and language.
      "/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/locale.conf",
      "/etc/default/locale",
      // What else is the same for all.
      "/etc/os-release", "/etc/debian_version", "/etc/fonts", "/etc/magic", "/etc/python3",
      "/etc/python3.11", "/etc/python3.12", "/etc/python3.13"};
  return paths;
}

std::vector<fs::path> outermost(std::vector<fs::path> paths) {
  const auto is_in = [](const fs::path& path, const fs::path& directory) {
    return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first ==
           directory.end();
  };
  std::sort(paths.begin(), paths.end());
  std::vector<fs::path> kept;
  for (auto& path : paths) {
    if (kept.empty() || !is_in(path, kept.back())) kept.push_back(std::move(path));
  }
  return kept;
}

}  // namespace supervisor::sandbox
