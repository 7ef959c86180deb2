// Metadata of a legacy plugin (no plugin.json) from the syntax tree of its
// code, without running it. The parser is Python's own, so it runs in a short-
// lived process of the profile's interpreter, with limits on time and memory:
// the file is untrusted, and a crash of the parser must stay there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include "supervisor/catalog/catalog_entry.h"

namespace supervisor::catalog {

struct InspectorOptions {
  std::filesystem::path python = "/usr/bin/python3";
  std::filesystem::path shim_dir;  // Holds the package plugin_worker.
  std::chrono::milliseconds deadline{5000};
};

/// Fills what the syntax tree says into entry.metadata and appends warnings.
/// Never fails as a whole: what cannot be read is a warning. Run on the
/// supervisor's Asio thread; waits without blocking it. Both arguments must
/// live until it ends. Throws only when it is cancelled.
boost::asio::awaitable<void> inspect_legacy(CatalogEntry& entry, const InspectorOptions& options);

/// Takes over what the parser printed of the plugin's code. Why it tells
/// nothing; empty when it does.
std::string take_answer(std::string_view output, CatalogEntry& entry);

}  // namespace supervisor::catalog
