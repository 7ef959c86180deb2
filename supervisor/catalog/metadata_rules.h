// What a field, an action and the other parts of a plugin's metadata must look
// like. Used for manifests, for syntax trees and for what a running plugin
// reports, so that all three follow one rule.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::catalog {

/// Fills `metadata` from a manifest-like object. What is invalid is left out,
/// with a line in `warnings` that names it: "fields[2]: unknown type 'colour'".
/// Unknown keys of valid entries pass through.
void metadata_from_json(const boost::json::object& object, v1::PluginMetadata& metadata,
                        std::vector<std::string>& warnings);

/// The entries of `fields_json` that are valid; the rest become warnings.
/// The same for actions. Input that is not an array gives "[]" and a warning.
std::string valid_fields(std::string_view fields_json, std::vector<std::string>& warnings);
std::string valid_actions(std::string_view actions_json, std::vector<std::string>& warnings);

/// Warnings for values in `settings` (a JSON object) that do not fit their
/// field: "limit: expected a number, got a string". Unknown keys are fine.
std::vector<std::string> settings_warnings(std::string_view settings_json,
                                           std::string_view fields_json);

}  // namespace supervisor::catalog
