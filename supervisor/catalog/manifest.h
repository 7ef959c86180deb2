// plugin.json: read with limits, since its writer is not trusted.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/catalog/plugin_directory.h"
#include "supervisor/sys/failure.h"

namespace supervisor::catalog {

/// At most one of the three is set; none when there is no plugin.json.
struct Manifest {
  std::optional<boost::json::object> object;
  /// Not usable, so the plugin is legacy; as the host decides it.
  std::string warning;
  /// Made to hurt whoever reads it (a device, 100 MB, a thousand brackets):
  /// such a directory is shown, but not run.
  std::optional<Failure> error;
};

/// Of the text of a plugin.json.
Manifest parse_manifest(std::string_view text, const std::string& key);

/// Of a directory, whatever stands in it under that name.
Manifest read_manifest(const PluginDirectory& directory, const std::string& key,
                       std::size_t max_bytes);

}  // namespace supervisor::catalog
