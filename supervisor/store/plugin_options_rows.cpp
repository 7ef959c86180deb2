#include "supervisor/store/plugin_options_rows.h"

#include "supervisor/store/audit_rows.h"

namespace supervisor::store {

std::vector<PluginOptionsRow> select_plugin_options(pqxx::work& transaction) {
  const auto result =
      transaction.exec("SELECT plugin_key, options::text FROM supervisor_plugin_options");
  std::vector<PluginOptionsRow> rows;
  rows.reserve(static_cast<std::size_t>(result.size()));
  for (const auto& row : result)
    rows.push_back({row[0].as<std::string>(), row[1].as<std::string>()});
  return rows;
}

void upsert_plugin_options(pqxx::transaction_base& transaction, const PluginOptionsRow& row,
                           const AuditNote& audit) {
  const std::string upsert =
      R"(INSERT INTO supervisor_plugin_options (plugin_key, options, updated_at)
         VALUES ($1, $2::jsonb, now())
         ON CONFLICT (plugin_key) DO UPDATE SET options = excluded.options, updated_at = now())";
  if (!audit) {
    transaction.exec_params(upsert, row.key, row.options_json);
    return;
  }
  transaction.exec_params("WITH stored AS (" + upsert + " RETURNING plugin_key)" +
                              audit_clause("stored", 3) + " SELECT FROM stored",
                          row.key, row.options_json, audit_json({audit}));
}

}  // namespace supervisor::store
