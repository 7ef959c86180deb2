// The rows of supervisor_permission_grants: read and written within a
// transaction that the caller owns, on the store's thread.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

std::vector<PermissionGrantRow> select_permission_grants(pqxx::work& transaction);
/// One statement, which adds the row of `audit` as well; `granted_unix_ms` is
/// the database's to say, and returned.
std::int64_t upsert_permission_grant(pqxx::transaction_base& transaction,
                                     const PermissionGrantRow& row, const AuditNote& audit);

}  // namespace supervisor::store
