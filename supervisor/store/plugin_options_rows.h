// The rows of supervisor_plugin_options: read and written within a transaction
// that the caller owns, on the store's thread.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

std::vector<PluginOptionsRow> select_plugin_options(pqxx::work& transaction);
/// One statement, which adds the row of `audit` as well.
void upsert_plugin_options(pqxx::transaction_base& transaction, const PluginOptionsRow& row,
                           const AuditNote& audit);

}  // namespace supervisor::store
