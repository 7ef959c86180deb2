// Reads the plugin directory. Never imports or executes plugin code.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/catalog/catalog_entry.h"

namespace supervisor::catalog {

struct CatalogLimits {
  std::size_t max_manifest_bytes = 1u << 20;
  std::size_t max_logo_bytes = 4u << 20;
};

/// Every plugin in `plugins_dir`, in byte order of the directory names. A
/// problem of one directory is told in its entry and touches no other.
/// Fails (DIRECTORY_UNREADABLE) only when `plugins_dir` itself cannot be read.
/// Blocking: reads files.
Outcome<std::vector<CatalogEntry>> scan(const std::filesystem::path& plugins_dir,
                                        const CatalogLimits& limits = {});

/// "My Plugin" -> "my_plugin"; hyphens stay.
std::string key_of_folder(std::string_view folder_name);

/// Cheap: changes whenever scan() could give another answer because of a
/// directory that came, went or was renamed, or one of the files that the
/// fingerprint covers. Used to notice changes when the list is fetched.
std::string directory_fingerprint(const std::filesystem::path& plugins_dir);

}  // namespace supervisor::catalog
