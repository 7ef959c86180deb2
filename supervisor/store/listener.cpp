#include "supervisor/store/listener.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <boost/asio/use_awaitable.hpp>

#include "supervisor/store/database_failure.h"

namespace supervisor::store {
namespace {

constexpr auto step = "listen";

// libpq would print them on stderr.
void ignore_notice(void* /*unused*/, const char* /*message*/) {}

}  // namespace

Listener::Listener(const boost::asio::any_io_executor& executor, Connection connection,
                   int socket_copy)
    : connection_(std::move(connection)), socket_(executor, socket_copy) {}

Outcome<std::unique_ptr<Listener>> Listener::connect(const boost::asio::any_io_executor& executor,
                                                     const ConnectionString& connection_string,
                                                     WakeableSocket& socket) {
  Connection connection(PQconnectdb(connection_string.for_libpq().c_str()), &PQfinish);
  if (!connection) return make_failure(v1::REASON_INTERNAL, step, "libpq is out of memory.");
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    return unavailable(connection_string, step, PQerrorMessage(connection.get()));
  }
  PQsetNoticeProcessor(connection.get(), ignore_notice, nullptr);
  socket.watch(PQsocket(connection.get()));
  const std::unique_ptr<PGresult, decltype(&PQclear)> answer(
      PQexec(connection.get(), "LISTEN supervisor_plugin_config"), &PQclear);
  socket.forget();
  if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) {
    return unavailable(connection_string, step, PQerrorMessage(connection.get()));
  }
  const int copy = ::fcntl(PQsocket(connection.get()), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return make_failure(v1::REASON_INTERNAL, step, "The process has no file descriptor left.",
                        "Raise its limit on open files.");
  }
  return std::unique_ptr<Listener>(new Listener(executor, std::move(connection), copy));
}

boost::asio::awaitable<std::string> Listener::deliver(
    const std::function<void(std::string, int backend_pid)>& changed) {
  for (;;) {
    // First, since some may have come along with the answer to LISTEN.
    while (PGnotify* notification = PQnotifies(connection_.get())) {
      const std::unique_ptr<PGnotify, decltype(&PQfreemem)> owner(notification, &PQfreemem);
      changed(notification->extra, notification->be_pid);
    }
    co_await socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                boost::asio::use_awaitable);
    if (PQconsumeInput(connection_.get()) == 0) co_return PQerrorMessage(connection_.get());
  }
}

}  // namespace supervisor::store
