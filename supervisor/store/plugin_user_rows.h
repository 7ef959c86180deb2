// The rows of supervisor_plugin_users: read and written within a transaction
// that the caller owns, on the store's thread.
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

/// The user ids of all plugins that have one, after each of `keys` without one
/// has been given the lowest that is free of those from `first` to `last`; none,
/// when there are no more.
std::map<std::string, std::uint32_t> give_plugin_users(pqxx::work& transaction,
                                                       const std::vector<std::string>& keys,
                                                       std::uint32_t first, std::uint32_t last);

}  // namespace supervisor::store
