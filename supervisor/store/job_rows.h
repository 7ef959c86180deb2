// The rows of supervisor_jobs: read and written within a transaction that the
// caller owns, on the store's thread.
#pragma once

#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "supervisor/store/store.h"

namespace supervisor::store {

/// Inserts all with one statement. A job that is there already is replaced
/// unless it has ended. No id may occur twice.
void upsert_jobs(pqxx::transaction_base& transaction,
                 const std::vector<std::shared_ptr<const v1::Job>>& jobs);

std::optional<v1::Job> select_job(pqxx::transaction_base& transaction, const std::string& id);
/// Newest first, without their results.
std::vector<v1::Job> select_jobs(pqxx::work& transaction, const JobFilter& filter);

/// Removes at most max_swept jobs that have ended and need not be kept; returns
/// how many.
std::size_t delete_old_jobs(pqxx::work& transaction, const JobRetention& retention);

}  // namespace supervisor::store
