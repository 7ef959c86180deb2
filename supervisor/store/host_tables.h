// Which columns the host's plugin tables have. That depends on the host's
// version, and a host may be upgraded while the supervisor runs.
#pragma once

#include <map>
#include <pqxx/pqxx>
#include <string>

namespace supervisor::store {

struct HostTables {
  struct Column {
    std::string type;
    bool must_be_given = false;  // NOT NULL, and the database has no default.
  };

  std::map<std::string, Column> config;  // Of plugins_pluginconfig.
  bool has_repo = false;                 // There is plugins_pluginrepo.
  std::string shape;                     // What host_tables_shape selected.

  /// Asks the database.
  static HostTables present(pqxx::transaction_base& transaction);

  [[nodiscard]] bool has(const char* column) const { return config.count(column) != 0; }
};

/// Part of a SELECT list: a text that is another one when the tables have
/// other columns.
extern const std::string host_tables_shape;

}  // namespace supervisor::store
