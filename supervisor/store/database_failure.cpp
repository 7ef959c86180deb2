#include "supervisor/store/database_failure.h"

#include <pqxx/pqxx>

namespace supervisor::store {
namespace {

bool in_class(const std::string& sqlstate, const char* prefix) {
  return sqlstate.starts_with(prefix);
}

}  // namespace

Failure unavailable(const ConnectionString& connection, const std::string& step,
                    const std::string& message) {
  return make_failure(v1::REASON_DATABASE_UNAVAILABLE, step,
                      "The database does not answer: " + connection.redact(message),
                      "Check that PostgreSQL runs and that the connection string is right.");
}

Failure describe(const ConnectionString& connection, const std::string& step,
                 const std::exception& error) {
  const std::string message = connection.redact(error.what());
  if (dynamic_cast<const pqxx::broken_connection*>(&error) != nullptr) {
    return unavailable(connection, step, message);
  }
  if (dynamic_cast<const pqxx::in_doubt_error*>(&error) != nullptr) {
    return make_failure(v1::REASON_DATABASE_UNAVAILABLE, step,
                        "The connection broke while the change was being stored; it may or may "
                        "not have been.",
                        "Look at the present state, then try again.");
  }
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  if (sql == nullptr) {
    return make_failure(v1::REASON_INTERNAL, step, "The store failed: " + message);
  }
  const std::string& state = sql->sqlstate();
  if (state == "22P05") {
    return make_failure(v1::REASON_INVALID_REQUEST, step,
                        "PostgreSQL cannot store the character U+0000 in JSON.",
                        "Remove \\u0000 from the values.");
  }
  if (in_class(state, "22") || in_class(state, "54")) {
    return make_failure(v1::REASON_INVALID_REQUEST, step,
                        "PostgreSQL cannot store this value: " + message);
  }
  if (state == "57014" || state == "55P03") {
    return make_failure(v1::REASON_DATABASE_UNAVAILABLE, step,
                        "The database took too long: " + message,
                        "Look in pg_stat_activity for what holds a lock or the machine busy.");
  }
  if (state == "42P01" || state == "42703") {
    return make_failure(v1::REASON_DATABASE_UNAVAILABLE, step,
                        "The database lacks a table or column: " + message,
                        "Restart the supervisor, so that it checks the schema.");
  }
  // Privileges, read-only servers, full disks, shutdown: not ours to mend.
  if (state == "42501" || in_class(state, "25") || in_class(state, "53") || in_class(state, "57") ||
      in_class(state, "58") || in_class(state, "08") || in_class(state, "40")) {
    return make_failure(v1::REASON_DATABASE_UNAVAILABLE, step, "The database refused: " + message);
  }
  return make_failure(v1::REASON_INTERNAL, step, "The database refused: " + message);
}

bool is_outdated_statement(const std::exception& error) {
  const auto* sql = dynamic_cast<const pqxx::sql_error*>(&error);
  return sql != nullptr && (sql->sqlstate() == "26000" || sql->sqlstate() == "0A000");
}

}  // namespace supervisor::store
