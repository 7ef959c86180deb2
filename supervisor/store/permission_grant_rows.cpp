#include "supervisor/store/permission_grant_rows.h"

#include "supervisor/store/audit_rows.h"

namespace supervisor::store {

std::vector<PermissionGrantRow> select_permission_grants(pqxx::work& transaction) {
  const auto result = transaction.exec(R"(
    SELECT plugin_key, granted::text, granted_by, (extract(epoch FROM granted_at) * 1000)::bigint
    FROM supervisor_permission_grants)");
  std::vector<PermissionGrantRow> rows;
  rows.reserve(static_cast<std::size_t>(result.size()));
  for (const auto& row : result)
    rows.push_back({row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<std::string>(),
                    row[3].as<std::int64_t>()});
  return rows;
}

std::int64_t upsert_permission_grant(pqxx::transaction_base& transaction,
                                     const PermissionGrantRow& row, const AuditNote& audit) {
  const std::string upsert =
      R"(INSERT INTO supervisor_permission_grants (plugin_key, granted, granted_by, granted_at)
             VALUES ($1, $2::jsonb, $3, now())
             ON CONFLICT (plugin_key) DO UPDATE SET
               granted = excluded.granted, granted_by = excluded.granted_by,
               granted_at = excluded.granted_at
             RETURNING (extract(epoch FROM granted_at) * 1000)::bigint AS at_ms)";
  const auto stored =
      audit
          ? transaction.exec_params1("WITH stored AS (" + upsert + ")" + audit_clause("stored", 4) +
                                         " SELECT at_ms FROM stored",
                                     row.key, row.granted_json, row.granted_by, audit_json({audit}))
          : transaction.exec_params1(upsert, row.key, row.granted_json, row.granted_by);
  return stored[0].as<std::int64_t>();
}

}  // namespace supervisor::store
