// The one connection for queries, made when first needed and remade after a
// failure. Owned by the store and used on the store's thread only, except
// abort().
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <pqxx/pqxx>
#include <string>

#include "supervisor/store/connection_string.h"
#include "supervisor/store/database_connection.h"
#include "supervisor/store/database_failure.h"
#include "supervisor/sys/failure.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::store {

/// A second descriptor of a connection's socket, by which another thread can
/// wake one that waits in libpq for a server that no longer answers.
class WakeableSocket {
 public:
  void watch(int socket);
  void forget();
  /// From any thread: the connection breaks, and whoever waits on it fails.
  void abort();

 private:
  std::mutex mutex_;
  sys::UniqueFd copy_;
};

class QuerySession {
 public:
  using Clock = std::chrono::steady_clock;

  QuerySession(ConnectionString connection, std::chrono::seconds statement_timeout);

  /// Runs `body(pqxx::work&)` in a transaction and commits it. `asked_at` is
  /// when the caller asked: if connecting has failed since, so does this call,
  /// so that a queue of calls does not wait one connect timeout each.
  template <typename T, typename Body>
  Outcome<T> transact(const std::string& step, Clock::time_point asked_at, const Body& body);

  /// From any thread: breaks the connection, so that a query in progress fails.
  void abort() { socket_.abort(); }

 private:
  std::optional<Failure> open(const std::string& step, Clock::time_point asked_at);
  void close();

  ConnectionString connection_string_;
  std::chrono::seconds statement_timeout_;
  std::unique_ptr<DatabaseConnection> connection_;
  WakeableSocket socket_;
  Clock::time_point failed_at_{};
  std::optional<Failure> failure_;
};

template <typename T, typename Body>
Outcome<T> QuerySession::transact(const std::string& step, Clock::time_point asked_at,
                                  const Body& body) {
  for (bool again = false;; again = true) {
    const bool fresh = !connection_;
    if (auto failure = open(step, asked_at)) return *failure;
    try {
      pqxx::work transaction(connection_->get());
      T result = body(transaction);
      transaction.commit();
      return result;
    } catch (const std::exception& error) {
      const bool broken = !connection_->get().is_open();
      const bool in_doubt = dynamic_cast<const pqxx::in_doubt_error*>(&error) != nullptr;
      auto failure = describe(connection_string_, step, error);
      if (!broken && !in_doubt) return failure;
      close();
      // The server may have been restarted while the connection idled: that is
      // learnt only by using it. Nothing was stored, so once more.
      if (fresh || again || in_doubt) {
        if (!in_doubt) failure = unavailable(connection_string_, step, error.what());
        return failure;
      }
    }
  }
}

}  // namespace supervisor::store
