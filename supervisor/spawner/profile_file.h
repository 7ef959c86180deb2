// Reads runtime profiles from a TOML file:
//
//   [profile.dispatcharr]
//   python = "/venv/bin/python"
//   path = ["/app"]
//   environment = { DJANGO_SETTINGS_MODULE = "dispatcharr.settings" }
//   setup = ["django:setup"]
//
// What is not said is as in the built-in profile `standalone`, except that only
// `standalone` itself stands in for the host's modules (compat). Unknown names
// are refused.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "supervisor/spawner/runtime_profile.h"
#include "supervisor/sys/failure.h"

namespace supervisor::spawner {

using Profiles = std::map<std::string, RuntimeProfile>;

/// The profiles of `text` and `standalone`, which it may change. Fails with
/// INVALID_REQUEST; the message names the line.
Outcome<Profiles> parse_profiles(std::string_view text, const RuntimeProfile& standalone);

/// The same of a file; also fails when it cannot be read.
Outcome<Profiles> read_profiles(const std::filesystem::path& file,
                                const RuntimeProfile& standalone);

}  // namespace supervisor::spawner
