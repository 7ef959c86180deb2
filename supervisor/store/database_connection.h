// A libpqxx connection as this store uses them: it never reconnects behind the
// caller's back, and the server's notices go to the log, not to stderr. Owned
// by whoever opened it, used on that one thread.
#pragma once

#include <pqxx/pqxx>

#include "supervisor/store/connection_string.h"

namespace supervisor::store {

class DatabaseConnection {
 public:
  /// Connects; blocks for at most the connect timeout. Throws what libpqxx does.
  explicit DatabaseConnection(const ConnectionString& connection_string);

  [[nodiscard]] pqxx::connection& get() { return connection_; }

 private:
  class LoggedNotices : public pqxx::errorhandler {
   public:
    LoggedNotices(pqxx::connection& connection, const ConnectionString& connection_string);
    bool operator()(const char message[]) noexcept override;

   private:
    ConnectionString connection_string_;
  };

  pqxx::connection connection_;
  LoggedNotices notices_;  // After the connection: must go before it.
};

}  // namespace supervisor::store
