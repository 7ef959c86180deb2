// One client's connection: reads requests, has them answered, writes answers.
// Owned by its HttpServer, and served on that server's thread; after a call to
// the supervisor it goes on, for a while, on the thread that completed the call
// (see supervisor_client.h). Public functions other than serve() are therefore
// called under the server's lock.
//
// Time limits are kept by the server, which calls sweep() every so often: a
// timer per read and write would cost more than the reads and writes.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "api_gateway/limits.h"
#include "api_gateway/net.h"
#include "api_gateway/routes.h"

namespace gateway {

class Connection {
 public:
  /// `lane` is the server's lock.
  Connection(Socket socket, const Routes& routes, const Limits& limits, std::mutex& lane);

  /// Serves requests until the client, a limit or drain() ends it.
  Awaitable<void> serve();

  /// Ends what is overdue, and calls whose client has hung up.
  void sweep(Clock::time_point now);

  /// Ends now when between two requests, otherwise after the present one.
  void drain();

  /// Ends now, whatever is under way; but whoever waits for a call is told.
  void abort();

  /// Since when nothing has been asked; nothing while a request is under way.
  [[nodiscard]] std::optional<Clock::time_point> idle_since() const;

 private:
  enum class Phase { idle, head, body, answering, writing, lingering };
  enum class Received { complete, refused, gone };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void enter(Phase phase, std::chrono::milliseconds budget);

  // Serves one request; false when the connection ends with it.
  Awaitable<bool> exchange();
  // Reads until the head, or the whole message, is there. `refusal_` is set
  // when it is `refused`.
  Awaitable<Received> receive_head();
  Awaitable<Received> receive_body();
  Awaitable<Received> receive_more();
  Received refuse(boost::system::error_code error);
  [[nodiscard]] std::optional<Reply> protocol_error() const;
  [[nodiscard]] RequestHead head() const;
  Awaitable<Reply> answer(const Admission& admission);
  // False when the client is gone.
  Awaitable<bool> write(const Reply& reply, bool keep_alive);
  Awaitable<void> linger();
  void log_access(const Reply& reply, Clock::time_point begin) const;
  [[nodiscard]] bool client_hung_up();

  Socket socket_;
  const Routes& routes_;
  const Limits& limits_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::optional<Reply> refusal_;
  CallInFlight in_flight_;
  std::string client_;     // The address at the other end.
  std::string authority_;  // For a request without Host: this end's address.

  Phase phase_ = Phase::idle;
  Clock::time_point phase_begin_;
  Clock::time_point deadline_;
  bool overdue_ = false;
  bool draining_ = false;
  bool aborted_ = false;
  bool abandoned_on_hangup_ = false;
};

}  // namespace gateway
