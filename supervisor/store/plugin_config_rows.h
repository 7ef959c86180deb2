// The rows of the host's table plugins_pluginconfig: read and written within a
// transaction that the caller owns, on the store's thread.
//
// Which columns there are depends on the host's version, and a host may be
// upgraded while the supervisor runs; so every transaction asks.
#pragma once

#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

std::vector<PluginConfigRow> select_all(pqxx::work& transaction);
std::optional<PluginConfigRow> select_one(pqxx::work& transaction, const std::string& key);

/// Inserts what is new and updates what differs. Text is cut to what the
/// columns hold: one plugin with an overlong name must not keep out the others.
void record(pqxx::work& transaction, std::vector<DiscoveredPlugin> plugins);

/// Both return the row as stored, or nothing when there is none.
std::optional<PluginConfigRow> update_enabled(pqxx::work& transaction, const std::string& key,
                                              bool enabled);
std::optional<PluginConfigRow> update_settings(pqxx::work& transaction, const std::string& key,
                                               const std::string& settings_json);

/// Why `key` cannot be a key in the table, or nothing.
std::optional<Failure> key_failure(const std::string& step, const std::string& key);

}  // namespace supervisor::store
