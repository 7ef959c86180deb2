#include "supervisor/catalog/catalog.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <set>

#include "supervisor/catalog/manifest.h"
#include "supervisor/catalog/metadata_rules.h"
#include "supervisor/catalog/plugin_directory.h"
#include "supervisor/catalog/utf8.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::catalog {
namespace {

constexpr std::size_t max_key_length = 128;  // As the host's column has it.
constexpr std::string_view byte_mark = "~x";

// Why `folder_name` gives no key; empty when it does.
std::string key_problem(std::string_view folder_name) {
  if (!is_utf8(folder_name)) return "is not valid UTF-8";
  for (const char c : folder_name)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return "holds a control character";
  const auto length = utf8_length(key_of_folder(folder_name));
  if (length > max_key_length)
    return "gives a key of " + std::to_string(length) + " characters, and " +
           std::to_string(max_key_length) + " are allowed";
  return {};
}

// A key for a folder whose name gives none: readable, the same at every scan,
// and usable in a URL.
std::string stand_in_key(std::string_view folder_name) {
  auto key = key_of_folder(escape_bytes(folder_name, byte_mark));
  if (utf8_length(key) <= max_key_length) return key;
  Fingerprint whole_name;
  whole_name.add(folder_name);
  const auto suffix = "~" + whole_name.hex();
  return std::string(utf8_prefix(key, max_key_length - suffix.size())) + suffix;
}

Failure directory_failure(v1::Reason reason, const CatalogEntry& entry, const std::string& what,
                          std::string hint) {
  return make_failure(reason, "read directory", "The directory '" + entry.folder_name + "' " + what,
                      std::move(hint), entry.key);
}

std::optional<Failure> unreadable(const PluginDirectory& directory, const CatalogEntry& entry) {
  int error = directory.error;
  if (error == 0) {
    const sys::UniqueFd fd(sys::retry_on_eintr([&] {
      return ::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    }));
    if (!fd) error = errno;
  }
  if (error == ELOOP)
    return directory_failure(v1::REASON_SYMLINK_LOOP, entry,
                             "is a symbolic link that leads to itself.",
                             "Remove the link, or point it at a directory.");
  if (error != 0)
    return directory_failure(v1::REASON_DIRECTORY_UNREADABLE, entry,
                             "cannot be read: " + std::generic_category().message(error) + ".",
                             "Check its permissions, and where it leads if it is a link.");
  if (directory.holds_itself)
    return directory_failure(v1::REASON_SYMLINK_LOOP, entry,
                             "is a symbolic link to the plugin directory or one above it.",
                             "Point the link at the directory of one plugin.");
  return std::nullopt;
}

// plugin.py or __init__.py is there by name only.
std::optional<Failure> without_code(const PluginDirectory& directory, const CatalogEntry& entry) {
  if (entry.has_plugin_py || entry.has_package) return std::nullopt;
  const bool plugin_py = directory.plugin_py.is_broken();
  const auto& file = plugin_py ? directory.plugin_py : directory.package;
  const auto reason =
      file.error == ELOOP ? v1::REASON_SYMLINK_LOOP : v1::REASON_DIRECTORY_UNREADABLE;
  return directory_failure(reason, entry,
                           std::string("cannot be used: ") +
                               (plugin_py ? "plugin.py " : "__init__.py ") + file.problem() + ".",
                           "Put a regular file in its place.");
}

void warn_of_broken_files(const PluginDirectory& directory, CatalogEntry& entry) {
  const auto warn = [&](const char* name, const CandidateFile& file) {
    if (file.is_broken()) entry.warnings.push_back(std::string(name) + " " + file.problem());
  };
  warn("plugin.py", directory.plugin_py);
  warn("__init__.py", directory.package);
  warn("logo.png", directory.logo);
}

void read_files(const PluginDirectory& directory, const CatalogLimits& limits,
                CatalogEntry& entry) {
  entry.has_plugin_py = directory.plugin_py.is_regular();
  entry.has_package = directory.package.is_regular();
  entry.has_logo = directory.logo.is_regular();
  if (entry.has_logo &&
      static_cast<std::size_t>(directory.logo.status.st_size) > limits.max_logo_bytes) {
    entry.has_logo = false;
    entry.warnings.push_back("logo.png is larger than " + std::to_string(limits.max_logo_bytes) +
                             " bytes and is not shown");
  }
  if (!entry.error) entry.error = without_code(directory, entry);
  if (!entry.error) warn_of_broken_files(directory, entry);

  auto manifest = read_manifest(directory, entry.key, limits.max_manifest_bytes);
  if (!manifest.warning.empty()) entry.warnings.push_back(std::move(manifest.warning));
  if (manifest.error && !entry.error) entry.error = std::move(manifest.error);
  if (!manifest.object) return;
  entry.legacy = false;
  metadata_from_json(*manifest.object, entry.metadata, entry.warnings);
}

CatalogEntry make_entry(const PluginDirectory& directory, const CatalogLimits& limits,
                        std::string key, std::optional<Failure> key_error) {
  CatalogEntry entry;
  entry.key = std::move(key);
  entry.folder_name = escape_bytes(directory.name, byte_mark);
  entry.directory = directory.path;
  entry.directory_text = escape_bytes(directory.path.native(), byte_mark);
  entry.metadata.set_name(entry.folder_name);
  entry.error = std::move(key_error);
  Fingerprint fingerprint;
  directory.add_to(fingerprint);
  entry.fingerprint = fingerprint.hex();
  if (!entry.error) entry.error = unreadable(directory, entry);
  if (directory.error == 0 && !directory.holds_itself) read_files(directory, limits, entry);
  return entry;
}

// Keys are given out in two rounds: first to the folders that are entitled to
// one, in byte order of their names, then to those in trouble. So no broken
// folder takes the key of a good one. The second and further folders of one
// key are listed as "<key>~2", "<key>~3": with a key of their own, whoever
// reads the list can address the error and see which directory it is about.
class KeyRegister {
 public:
  /// False when the key is taken.
  bool claim(const std::string& key) { return taken_.insert(key).second; }

  std::string claim_similar(const std::string& key) {
    if (claim(key)) return key;
    for (int number = 2;; ++number) {
      const auto suffix = "~" + std::to_string(number);
      auto other = std::string(utf8_prefix(key, max_key_length - suffix.size())) + suffix;
      if (claim(other)) return other;
    }
  }

 private:
  std::set<std::string> taken_;
};

struct Keyed {
  PluginDirectory directory;
  std::string key;  // Empty until one is given out.
  std::optional<Failure> error;
};

void give_out_keys(std::vector<Keyed>& folders) {
  KeyRegister keys;
  std::map<std::string, std::string> owners;
  for (auto& folder : folders) {
    if (!key_problem(folder.directory.name).empty()) continue;
    const auto key = key_of_folder(folder.directory.name);
    if (!keys.claim(key)) continue;
    folder.key = key;
    owners[key] = folder.directory.name;
  }
  for (auto& folder : folders) {
    if (!folder.key.empty()) continue;
    const auto& name = folder.directory.name;
    const auto shown = escape_bytes(name, byte_mark);
    if (const auto problem = key_problem(name); !problem.empty()) {
      folder.key = keys.claim_similar(stand_in_key(name));
      folder.error = make_failure(v1::REASON_KEY_INVALID, "derive key",
                                  fmt::format("The name of the directory '{}' {}.", shown, problem),
                                  "Rename the directory.", folder.key);
      continue;
    }
    const auto key = key_of_folder(name);
    folder.key = keys.claim_similar(key);
    folder.error = make_failure(
        v1::REASON_KEY_DUPLICATE, "derive key",
        fmt::format(
            "The directory '{}' has the same key '{}' as the directory '{}', which is used.", shown,
            key, owners[key]),
        "Rename or remove one of the two.", folder.key);
  }
}

}  // namespace

Outcome<std::vector<CatalogEntry>> scan(const std::filesystem::path& plugins_dir,
                                        const CatalogLimits& limits) {
  std::vector<Keyed> folders;
  std::error_code ignored;
  auto home = std::filesystem::absolute(plugins_dir, ignored).lexically_normal();
  if (ignored) home = plugins_dir;
  try {
    for (const auto& folder : folder_names(home)) {
      auto directory = look_at(home, folder);
      if (directory && directory->is_plugin())
        folders.push_back({.directory = std::move(*directory)});
    }
  } catch (const std::system_error& error) {
    return make_failure(v1::REASON_DIRECTORY_UNREADABLE, "scan",
                        "The plugin directory " + escape_bytes(home.native(), byte_mark) +
                            " cannot be read: " + error.code().message() + ".",
                        "Check the setting of the plugin directory and its permissions.");
  }
  give_out_keys(folders);
  std::vector<CatalogEntry> entries;
  entries.reserve(folders.size());
  for (auto& folder : folders)
    entries.push_back(
        make_entry(folder.directory, limits, std::move(folder.key), std::move(folder.error)));
  return entries;
}

std::string directory_fingerprint(const std::filesystem::path& plugins_dir) {
  Fingerprint fingerprint;
  try {
    for (const auto& folder : folder_names(plugins_dir)) {
      const auto directory = look_at(plugins_dir, folder);
      if (directory && directory->is_plugin()) directory->add_to(fingerprint);
    }
  } catch (const std::system_error& error) {
    return "unreadable: " + error.code().message();
  }
  return fingerprint.hex();
}

}  // namespace supervisor::catalog
