#include "supervisor/store/database_connection.h"

#include <exception>

#include "supervisor/logs/structured_log.h"

namespace supervisor::store {

DatabaseConnection::LoggedNotices::LoggedNotices(pqxx::connection& connection,
                                                 const ConnectionString& connection_string)
    : pqxx::errorhandler(connection), connection_string_(connection_string) {}

bool DatabaseConnection::LoggedNotices::operator()(const char message[]) noexcept {
  try {
    logs::log_event(spdlog::level::debug, "database.notice",
                    {{"text", connection_string_.redact(message)}});
  } catch (const std::exception&) {
    return false;  // A notice that cannot be logged is not worth failing for.
  }
  return false;
}

DatabaseConnection::DatabaseConnection(const ConnectionString& connection_string)
    : connection_(connection_string.for_libpq()), notices_(connection_, connection_string) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  // Reconnecting in the middle of a rollback would lose the session's settings;
  // libpqxx 7 dropped the feature, hence the deprecation.
  connection_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
}

}  // namespace supervisor::store
