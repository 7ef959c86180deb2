#include "supervisor/catalog/plugin_directory.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "supervisor/sys/syscall.h"

namespace supervisor::catalog {
namespace {

bool exists_without_following(const std::filesystem::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// A look at a thousand plugins joins four thousand of these: as texts, since a
// path is taken apart whenever one is made.
CandidateFile candidate(const std::filesystem::path& directory, const char* name) {
  std::string path;
  path.reserve(directory.native().size() + 16);
  path.append(directory.native()).append("/").append(name);
  CandidateFile file;
  // First without following: most are files or absent, and one call tells.
  int result = ::lstat(path.c_str(), &file.status);
  if (result != 0 && errno == ENOENT) return file;
  if (result == 0 && S_ISLNK(file.status.st_mode)) result = ::stat(path.c_str(), &file.status);
  if (result != 0) {
    file.error = errno;
    file.kind = CandidateFile::Kind::unreachable;
    return file;
  }
  file.kind =
      S_ISREG(file.status.st_mode) ? CandidateFile::Kind::regular : CandidateFile::Kind::irregular;
  return file;
}

const char* kind_of_file(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// A link to the plugin directory, or to one that holds it: as a plugin it
// would contain every other plugin, and itself.
bool leads_back(const std::filesystem::path& link, const std::filesystem::path& plugins_dir) {
  std::error_code error;
  const auto target = std::filesystem::canonical(link, error);
  if (error) return false;
  const auto home = std::filesystem::canonical(plugins_dir, error);
  if (error) return false;
  return std::mismatch(target.begin(), target.end(), home.begin(), home.end()).first ==
         target.end();
}

void add_file(Fingerprint& fingerprint, const CandidateFile& file) {
  fingerprint.add(static_cast<std::uint64_t>(file.kind));
  fingerprint.add(static_cast<std::uint64_t>(file.error));
  if (file.error == 0) fingerprint.add(file.status);
}

}  // namespace

std::string CandidateFile::problem() const {
  if (kind == Kind::irregular)
    return std::string("is ") + kind_of_file(status.st_mode) + ", not a regular file";
  return "cannot be reached: " + std::generic_category().message(error);
}

bool PluginDirectory::is_plugin() const {
  return error != 0 || plugin_py.kind != CandidateFile::Kind::absent ||
         package.kind != CandidateFile::Kind::absent;
}

// Of the directory itself only its identity and mode count: its times change
// with every temporary file and __pycache__ that a running plugin makes.
void PluginDirectory::add_to(Fingerprint& fingerprint) const {
  fingerprint.add(name);
  fingerprint.add(static_cast<std::uint64_t>(error));
  fingerprint.add(static_cast<std::uint64_t>(status.st_dev));
  fingerprint.add(static_cast<std::uint64_t>(status.st_ino));
  fingerprint.add(static_cast<std::uint64_t>(status.st_mode));
  for (const auto* file : {&plugin_py, &package, &manifest, &logo}) add_file(fingerprint, *file);
}

std::vector<FolderName> folder_names(const std::filesystem::path& plugins_dir) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(plugins_dir.c_str()), ::closedir);
  if (!directory) sys::throw_errno("open " + plugins_dir.string());
  std::vector<FolderName> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    // Hidden names are never plugins: .git, .reload_token.
    if (entry->d_name[0] == '.' || entry->d_type == DT_REG) continue;
    names.push_back({.name = entry->d_name,
                     .maybe_link = entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN});
  }
  if (errno != 0) sys::throw_errno("list " + plugins_dir.string());
  std::sort(names.begin(), names.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return names;
}

std::optional<PluginDirectory> look_at(const std::filesystem::path& plugins_dir,
                                       const FolderName& folder) {
  PluginDirectory directory{.name = folder.name, .path = plugins_dir / folder.name};
  if (::stat(directory.path.c_str(), &directory.status) != 0) {
    directory.error = errno;
    if (!exists_without_following(directory.path)) return std::nullopt;
    return directory;
  }
  if (!S_ISDIR(directory.status.st_mode)) return std::nullopt;
  directory.holds_itself = folder.maybe_link && leads_back(directory.path, plugins_dir);
  directory.plugin_py = candidate(directory.path, "plugin.py");
  directory.package = candidate(directory.path, "__init__.py");
  directory.manifest = candidate(directory.path, "plugin.json");
  directory.logo = candidate(directory.path, "logo.png");
  return directory;
}

}  // namespace supervisor::catalog
