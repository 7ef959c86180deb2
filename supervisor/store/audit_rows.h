// The rows of supervisor_audit: added and read within a transaction that the
// caller owns, on the store's thread. Adding one that is there already does
// nothing, so that a statement whose answer was lost can be asked again.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

/// For the WITH query `of` of a statement that changes something: ", audited AS
/// (INSERT ...)", which adds the rows of parameter `parameter`, audit_json(), if
/// `of` has changed anything.
std::string audit_clause(const std::string& of, int parameter);
std::string audit_json(const std::vector<AuditNote>& entries);

void insert_audit(pqxx::transaction_base& transaction, const std::vector<AuditNote>& entries);

/// Newest first.
std::vector<v1::AuditEntry> select_audit(pqxx::work& transaction, const AuditFilter& filter);
std::int64_t select_last_audit_id(pqxx::transaction_base& transaction);

}  // namespace supervisor::store
