// The parameters of a host call, looked into no deeper than needed. What is
// wrong with them is a Failure that tells the plugin's author. Pure functions,
// callable from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "supervisor/store/store.h"
#include "supervisor/sys/failure.h"

namespace supervisor::host {

inline constexpr std::size_t max_name_characters = 128;  // Of a collection: its column's size.

/// One JSON object that is not larger than `max_bytes`, or why not.
Outcome<void> check_params(std::string_view params, std::size_t max_bytes);

/// A member that must be text. `params` has passed check_params(), here and
/// below.
Outcome<std::string> text_member(std::string_view params, std::string_view name);

/// A member that must be an object, as it came.
Outcome<std::string> object_member(std::string_view params, std::string_view name);

/// What `what` needs: collection, and id, data or items. A "plugin" that is not
/// `plugin` is refused with PERMISSION_DENIED.
Outcome<store::PluginDataRequest> data_request(store::PluginDataRequest::What what,
                                               const std::string& plugin, std::string_view params);

}  // namespace supervisor::host
