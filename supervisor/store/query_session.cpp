#include "supervisor/store/query_session.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace supervisor::store {

void WakeableSocket::watch(int socket) {
  const std::lock_guard lock(mutex_);
  copy_.reset(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
}

void WakeableSocket::forget() {
  const std::lock_guard lock(mutex_);
  copy_.reset();
}

void WakeableSocket::abort() {
  const std::lock_guard lock(mutex_);
  if (copy_) ::shutdown(copy_.get(), SHUT_RDWR);
}

QuerySession::QuerySession(ConnectionString connection, std::chrono::seconds statement_timeout)
    : connection_string_(std::move(connection)), statement_timeout_(statement_timeout) {}

std::optional<Failure> QuerySession::open(const std::string& step, Clock::time_point asked_at) {
  if (connection_) return std::nullopt;
  if (failure_ && failed_at_ >= asked_at) return failure_;
  try {
    auto connection = std::make_unique<DatabaseConnection>(connection_string_);
    socket_.watch(connection->get().sock());
    // One plan does for every key: a prepared statement need not be planned for
    // some of them before that is seen. (PostgreSQL 12.)
    pqxx::nontransaction(connection->get())
        .exec("SET statement_timeout = '" + std::to_string(statement_timeout_.count()) +
              "s'; SET plan_cache_mode = force_generic_plan");
    backend_pid_ = connection->get().backendpid();
    connection_ = std::move(connection);
    failure_.reset();
    return std::nullopt;
  } catch (const std::exception& error) {
    socket_.forget();
    failure_ = unavailable(connection_string_, step, error.what());
    failed_at_ = Clock::now();
    return failure_;
  }
}

void QuerySession::close() {
  socket_.forget();
  backend_pid_ = 0;
  connection_.reset();
}

}  // namespace supervisor::store
