// Says in our words what PostgreSQL, or the way to it, refused.
#pragma once

#include <exception>
#include <string>

#include "supervisor/store/connection_string.h"
#include "supervisor/sys/failure.h"

namespace supervisor::store {

/// DATABASE_UNAVAILABLE: `message` is libpq's own, made safe to show.
Failure unavailable(const ConnectionString& connection, const std::string& step,
                    const std::string& message);

/// INVALID_REQUEST for data PostgreSQL cannot store (SQLSTATE classes 22 and
/// 54), DATABASE_UNAVAILABLE for anything an administrator of the database can
/// mend, INTERNAL for the rest.
Failure describe(const ConnectionString& connection, const std::string& step,
                 const std::exception& error);

/// A prepared statement is not what it was: forgotten by the server, or its
/// columns have other types now. Another connection can prepare it anew.
bool is_outdated_statement(const std::exception& error);

}  // namespace supervisor::store
