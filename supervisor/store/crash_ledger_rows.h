// The rows of supervisor_crash_ledger: read and written within a transaction
// that the caller owns, on the store's thread.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

std::vector<CrashLedgerRow> select_ledgers(pqxx::work& transaction);
/// One statement.
void upsert_ledger(pqxx::transaction_base& transaction, const CrashLedgerRow& row);

}  // namespace supervisor::store
