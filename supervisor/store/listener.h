// A connection that LISTENs for changed plugin rows. Owned by Store::watch();
// made on the store's listening thread, then used on the Asio thread only.
//
// This is libpq and not libpqxx, whose receivers send a blocking UNLISTEN when
// they are destroyed.
#pragma once

#include <libpq-fe.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "supervisor/store/connection_string.h"
#include "supervisor/store/query_session.h"
#include "supervisor/sys/failure.h"

namespace supervisor::store {

class Listener {
 public:
  /// Connects and issues LISTEN. Blocks; `socket` lets another thread end that.
  static Outcome<std::unique_ptr<Listener>> connect(const boost::asio::any_io_executor& executor,
                                                    const ConnectionString& connection,
                                                    WakeableSocket& socket);

  /// Calls `changed` with the payload of each notification, and the server's
  /// process that it came from, until the connection breaks; returns why.
  /// Throws operation_aborted when cancelled.
  boost::asio::awaitable<std::string> deliver(
      const std::function<void(std::string, int backend_pid)>& changed);

 private:
  using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

  Listener(const boost::asio::any_io_executor& executor, Connection connection, int socket_copy);

  Connection connection_;
  // A copy of the connection's descriptor, since libpq closes its own.
  boost::asio::posix::stream_descriptor socket_;
};

}  // namespace supervisor::store
