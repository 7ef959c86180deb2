// The rows of the host's table plugins_pluginconfig: read and written on the
// store's thread, all of them within a transaction that the caller owns, a
// single one with a statement of its own.
//
// Which columns there are depends on the host's version, and a host may be
// upgraded while the supervisor runs; so every transaction asks, and every
// statement tells when it was not made for what is there.
#pragma once

#include <functional>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "supervisor/store/host_tables.h"
#include "supervisor/store/store.h"

namespace supervisor::store {

std::vector<PluginConfigRow> select_all(pqxx::work& transaction);

/// Inserts what is new and updates what differs. Text is cut to what the
/// columns hold: one plugin with an overlong name must not keep out the others.
void record(pqxx::work& transaction, std::vector<DiscoveredPlugin> plugins);

/// One row at a time. Each call is one statement, prepared: no transaction
/// around it, so that it can be asked again when the host was upgraded. Owned
/// by the store.
class PluginConfigRows {
 public:
  /// All return the row as stored, or nothing when there is none. A change adds
  /// the row of `audit` as well.
  std::optional<PluginConfigRow> select(pqxx::nontransaction& session, const std::string& key);
  std::optional<PluginConfigRow> update_enabled(pqxx::nontransaction& session,
                                                const std::string& key, bool enabled,
                                                const AuditNote& audit);
  std::optional<PluginConfigRow> update_settings(pqxx::nontransaction& session,
                                                 const std::string& key,
                                                 const std::string& settings_json,
                                                 const AuditNote& audit);

 private:
  template <typename Value>
  std::optional<PluginConfigRow> update(pqxx::nontransaction& session,
                                        const std::string& assignments, const std::string& key,
                                        const Value& value, const AuditNote& audit);
  pqxx::result ask(pqxx::nontransaction& session,
                   const std::function<pqxx::result(const HostTables& tables)>& statement);

  std::optional<HostTables> tables_;  // As they were when last asked for.
};

/// Why `key` cannot be a key in the table, or nothing.
std::optional<Failure> key_failure(const std::string& step, const std::string& key);

}  // namespace supervisor::store
