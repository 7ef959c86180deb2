// The one connection for queries, made when first needed and remade after a
// failure. Owned by the store and used on the store's thread only, except
// abort().
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <type_traits>

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

  /// How a body's statements are run.
  enum class Scope {
    transaction,  // body(pqxx::work&): all or nothing.
    reading,      // body(pqxx::nontransaction&): each by itself, and none writes.
    // The same, but they write, and may be repeated: for one statement, which
    // needs no BEGIN and no COMMIT, each of which takes as long as itself.
    writing
  };

  /// Runs `body`. `asked_at` is when the caller asked: if connecting has failed
  /// since, so does this call, so that a queue of calls does not wait one
  /// connect timeout each.
  template <Scope scope, typename T, typename Body>
  Outcome<T> run(const std::string& step, Clock::time_point asked_at, const Body& body);

  /// From any thread: breaks the connection, so that a query in progress fails.
  void abort() { socket_.abort(); }

  /// From any thread: the server's process for this session, by which it names
  /// the session's notifications; 0 = none.
  [[nodiscard]] int backend_pid() const { return backend_pid_; }

 private:
  std::optional<Failure> open(const std::string& step, Clock::time_point asked_at);
  void close();

  ConnectionString connection_string_;
  std::chrono::seconds statement_timeout_;
  std::unique_ptr<DatabaseConnection> connection_;
  WakeableSocket socket_;
  std::atomic<int> backend_pid_ = 0;
  Clock::time_point failed_at_{};
  std::optional<Failure> failure_;
};

template <QuerySession::Scope scope, typename T, typename Body>
Outcome<T> QuerySession::run(const std::string& step, Clock::time_point asked_at,
                             const Body& body) {
  using Transaction =
      std::conditional_t<scope == Scope::transaction, pqxx::work, pqxx::nontransaction>;
  bool perhaps_stored = false;
  for (bool again = false;; again = true) {
    const bool fresh = !connection_;
    if (auto failure = open(step, asked_at))
      return perhaps_stored
                 ? describe(connection_string_, step, pqxx::in_doubt_error(failure->message()))
                 : *failure;
    try {
      Transaction transaction(connection_->get());
      T result = body(transaction);
      transaction.commit();
      return result;
    } catch (const std::exception& error) {
      const bool broken = !connection_->get().is_open();
      const bool in_doubt = dynamic_cast<const pqxx::in_doubt_error*>(&error) != nullptr;
      const bool outdated = is_outdated_statement(error);
      auto failure = describe(connection_string_, step, error);
      if (!broken && !in_doubt && !outdated) return failure;
      close();
      // The server may have been restarted while the connection idled: that is
      // learnt only by using it. Nothing was stored, or what may be stored
      // again, so once more.
      perhaps_stored = scope == Scope::writing && broken;
      if (!fresh && !again && !in_doubt) continue;
      if (in_doubt || !broken) return failure;
      if (perhaps_stored)
        return describe(connection_string_, step, pqxx::in_doubt_error(error.what()));
      return unavailable(connection_string_, step, error.what());
    }
  }
}

}  // namespace supervisor::store
