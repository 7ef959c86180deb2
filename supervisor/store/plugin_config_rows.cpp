#include "supervisor/store/plugin_config_rows.h"

#include <algorithm>
#include <map>

#include "supervisor/catalog/utf8.h"
#include "supervisor/store/audit_rows.h"
#include "supervisor/store/prepared_statement.h"

namespace supervisor::store {
namespace {

constexpr std::size_t max_key = 128;
constexpr std::size_t max_name = 255;
constexpr std::size_t max_version = 64;

// Of the rows of plugins_pluginconfig, or of a WITH query that has its columns.
// `also` is a list of further columns, each after a comma.
std::string select_statement(const HostTables& tables,
                             const std::string& from = "plugins_pluginconfig",
                             const std::string& also = "") {
  const bool repo = tables.has_repo && tables.has("source_repo_id");
  const auto column = [&](const char* name, const char* otherwise) {
    return tables.has(name) ? std::string("c.") + name : std::string(otherwise);
  };
  return "SELECT c.key, c.name, c.version, c.description, c.enabled, c.ever_enabled,"
         " c.settings::text, coalesce(" +
         column("source_repo_id", "0") + ", 0), " +
         (repo ? "coalesce(r.name, ''), coalesce(r.is_official, false), " : "'', false, ") +
         column("slug", "''") + ", " + column("installed_version_is_prerelease", "false") + ", " +
         column("deprecated", "false") + ", c.id" + also + " FROM " + from + " AS c" +
         (repo ? " LEFT JOIN plugins_pluginrepo AS r ON r.id = c.source_repo_id" : "");
}

PluginConfigRow to_row(const pqxx::row& row) {
  PluginConfigRow config;
  config.key = row[0].as<std::string>();
  config.name = row[1].as<std::string>();
  config.version = row[2].as<std::string>();
  config.description = row[3].as<std::string>();
  config.enabled = row[4].as<bool>();
  config.ever_enabled = row[5].as<bool>();
  config.settings_json = row[6].as<std::string>();
  config.source_repo_id = row[7].as<std::int64_t>();
  config.source_repo_name = row[8].as<std::string>();
  config.is_official_repo = row[9].as<bool>();
  config.slug = row[10].as<std::string>();
  config.installed_version_is_prerelease = row[11].as<bool>();
  config.deprecated = row[12].as<bool>();
  config.id = row[13].as<std::int64_t>();
  return config;
}

// As select_statement(), with the shape that the tables have now.
std::string select_with_shape(const HostTables& tables,
                              const std::string& from = "plugins_pluginconfig") {
  return select_statement(tables, from, ", " + host_tables_shape);
}

// Of select_with_shape().
std::string shape_of(const pqxx::row& row) { return row[row.size() - 1].as<std::string>(); }

// What the host's model would store in a column it does not say anything
// about. A newer host may have added some; Django drops the defaults again.
std::string neutral_value(const std::string& type) {
  if (type == "boolean") return "false";
  if (type == "jsonb" || type == "json") return "'{}'";
  if (type == "timestamp with time zone") return "now()";
  if (type == "bigint" || type == "integer" || type == "smallint" || type == "numeric" ||
      type == "double precision") {
    return "0";
  }
  return "''";
}

std::string insert_statement(const pqxx::work& transaction, const HostTables& tables) {
  std::string columns = "key, name, version, description";
  std::string values = "$1, $2, $3, $4";
  for (const auto& [name, column] : tables.config) {
    if (!column.must_be_given || name == "key" || name == "name" || name == "version" ||
        name == "description") {
      continue;
    }
    columns += ", " + transaction.quote_name(name);
    values += ", " + neutral_value(column.type);
  }
  return "INSERT INTO plugins_pluginconfig (" + columns + ") VALUES (" + values +
         ") ON CONFLICT (key) DO NOTHING";
}

std::string storable(std::string text, std::size_t max_characters) {
  std::erase(text, '\0');
  if (!catalog::is_utf8(text)) text = catalog::escape_bytes(text, "\\x");
  return std::string(catalog::utf8_prefix(text, max_characters));
}

}  // namespace

std::vector<PluginConfigRow> select_all(pqxx::work& transaction) {
  const auto rows = transaction.exec(select_statement(HostTables::present(transaction)) +
                                     " ORDER BY c.key COLLATE \"C\"");
  std::vector<PluginConfigRow> configs;
  configs.reserve(rows.size());
  for (const auto& row : rows) configs.push_back(to_row(row));
  return configs;
}

void record(pqxx::work& transaction, std::vector<DiscoveredPlugin> plugins) {
  const auto tables = HostTables::present(transaction);
  std::map<std::string, PluginConfigRow> present;
  for (const auto& row : transaction.exec(select_statement(tables))) {
    auto config = to_row(row);
    auto key = config.key;
    present.emplace(std::move(key), std::move(config));
  }
  // Always in the same order, so that two writers cannot wait for each other.
  std::sort(plugins.begin(), plugins.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto insert = insert_statement(transaction, tables);
  for (const auto& plugin : plugins) {
    const auto name = storable(plugin.name, max_name);
    const auto version = storable(plugin.version, max_version);
    const auto description = storable(plugin.description, std::string::npos);
    const auto found = present.find(plugin.key);
    if (found == present.end()) {
      transaction.exec_params0(insert, plugin.key, name, version, description);
    } else if (found->second.name != name || found->second.version != version ||
               found->second.description != description) {
      transaction.exec_params0(
          "UPDATE plugins_pluginconfig SET name = $2, version = $3, description = $4,"
          " updated_at = now() WHERE key = $1",
          plugin.key, name, version, description);
    }
  }
}

pqxx::result PluginConfigRows::ask(
    pqxx::nontransaction& session,
    const std::function<pqxx::result(const HostTables& tables)>& statement) {
  if (tables_) {
    try {
      return statement(*tables_);
    } catch (const pqxx::undefined_column&) {
    } catch (const pqxx::undefined_table&) {
    }
  }
  tables_ = HostTables::present(session);
  return statement(*tables_);
}

std::optional<PluginConfigRow> PluginConfigRows::select(pqxx::nontransaction& session,
                                                        const std::string& key) {
  const auto read = [&](const HostTables& tables) {
    return exec_prepared(session, select_with_shape(tables) + " WHERE c.key = $1", key);
  };
  auto rows = ask(session, read);
  if (!rows.empty() && shape_of(rows.front()) != tables_->shape) {
    tables_.reset();
    rows = ask(session, read);
  }
  if (rows.empty()) return std::nullopt;
  return to_row(rows.front());
}

template <typename Value>
std::optional<PluginConfigRow> PluginConfigRows::update(pqxx::nontransaction& session,
                                                        const std::string& assignments,
                                                        const std::string& key, const Value& value,
                                                        const AuditNote& audit) {
  const auto rows = ask(session, [&](const HostTables& tables) {
    const auto updated = "WITH updated AS (UPDATE plugins_pluginconfig SET " + assignments +
                         ", updated_at = now() WHERE key = $1 RETURNING *)";
    const auto selected = " " + select_with_shape(tables, "updated");
    if (!audit) return exec_prepared(session, updated + selected, key, value);
    return exec_prepared(session, updated + audit_clause("updated", 3) + selected, key, value,
                         audit_json({audit}));
  });
  if (rows.empty()) return std::nullopt;
  if (shape_of(rows.front()) == tables_->shape) return to_row(rows.front());
  tables_.reset();
  return select(session, key);
}

std::optional<PluginConfigRow> PluginConfigRows::update_enabled(pqxx::nontransaction& session,
                                                                const std::string& key,
                                                                bool enabled,
                                                                const AuditNote& audit) {
  return update(session, "enabled = $2, ever_enabled = ever_enabled OR $2", key, enabled, audit);
}

std::optional<PluginConfigRow> PluginConfigRows::update_settings(pqxx::nontransaction& session,
                                                                 const std::string& key,
                                                                 const std::string& settings_json,
                                                                 const AuditNote& audit) {
  return update(session, "settings = $2::jsonb", key, settings_json, audit);
}

std::optional<Failure> key_failure(const std::string& step, const std::string& key) {
  const auto refuse = [&](const std::string& why) {
    return make_failure(v1::REASON_INVALID_REQUEST, step, "The plugin key " + why + ".",
                        "A key is 1 to 128 characters of UTF-8.");
  };
  if (key.empty()) return refuse("is empty");
  if (key.find('\0') != std::string::npos) return refuse("holds a NUL");
  if (!catalog::is_utf8(key)) return refuse("is not UTF-8");
  if (catalog::utf8_length(key) > max_key) return refuse("is longer than 128 characters");
  return std::nullopt;
}

}  // namespace supervisor::store
