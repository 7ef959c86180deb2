// The rows of the host's table plugins_plugindata: what one plugin keeps in one
// collection. Within a transaction that the caller owns, on the store's thread.
//
// Answers are JSON text. A record is {"id", "data", "created_at",
// "updated_at"}.
#pragma once

#include <pqxx/pqxx>

#include "supervisor/store/store.h"

namespace supervisor::store {

/// Refused with REQUEST_TOO_LARGE when the collection would hold too much,
/// RESULT_TOO_LARGE when it does, PLUGIN_NOT_FOUND without a row of the plugin.
/// Nothing is written then.
PluginDataAnswer answer_plugin_data(pqxx::work& transaction, const PluginDataRequest& request);

}  // namespace supervisor::store
