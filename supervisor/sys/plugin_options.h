// PluginOptions as JSON and as rules: one place for the database, the gateway
// and pluginctl. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plugin_supervisor/v1/options.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::sys {

/// The options that are set, as a JSON object: {"memory_bytes": 536870912}.
/// With `with_unset`, the others as null.
std::string plugin_options_json(const v1::PluginOptions& options, bool with_unset = false);

/// `options` with the members of the JSON object `changes` over them; null
/// takes the default again. INVALID_REQUEST names a member that is unknown or
/// does not fit.
Outcome<v1::PluginOptions> with_changes(v1::PluginOptions options, std::string_view changes);

/// What makes no sense in `options`: INVALID_REQUEST naming the field.
std::optional<Failure> options_failure(const v1::PluginOptions& options);

}  // namespace supervisor::sys
