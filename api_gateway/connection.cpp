#include "api_gateway/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <limits>

#include "api_gateway/caller.h"
#include "api_gateway/url.h"
#include "supervisor/logs/structured_log.h"

namespace gateway {
namespace {

namespace http = boost::beast::http;
namespace v1 = plugin_supervisor::v1;
using supervisor::make_failure;

// How much is read at once.
constexpr std::size_t read_size = 16 * 1024;
// A refused request's body up to this size is read and forgotten, so that the
// connection can go on; a larger one is not worth it.
constexpr std::size_t forgettable_body = 64 * 1024;

// Host as RFC 9110 has it, nearly: what must not get into a URL is left out.
bool is_authority(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-._~:[]%!$&'()*+,;=").find(static_cast<char>(c)) !=
               std::string_view::npos;
  });
}

Reply malformed(std::string message) {
  Reply reply = reply_to(make_failure(v1::REASON_INVALID_REQUEST, "http", std::move(message)));
  reply.close = true;
  return reply;
}

Reply too_large(unsigned status, std::string what, std::size_t limit) {
  Reply reply = reply_to(make_failure(v1::REASON_REQUEST_TOO_LARGE, "http",
                                      "The request's " + what + " is larger than the limit of " +
                                          std::to_string(limit) + " bytes."),
                         status);
  reply.close = true;
  return reply;
}

}  // namespace

Connection::Connection(Socket socket, const Routes& routes, const Limits& limits, std::mutex& lane)
    : socket_(std::move(socket)),
      routes_(routes),
      limits_(limits),
      buffer_(limits.header_bytes + read_size),
      in_flight_(lane) {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
  const auto peer = socket_.remote_endpoint(ignored);
  if (!ignored) client_ = peer.address().to_string();
  enter(Phase::idle, limits_.idle_time);
}

void Connection::enter(Phase phase, std::chrono::milliseconds budget) {
  phase_ = phase;
  phase_begin_ = Clock::now();
  deadline_ = phase_begin_ + (aborted_ ? std::min(budget, limits_.linger_time) : budget);
  overdue_ = false;
}

Awaitable<void> Connection::serve() {
  bool alive = true;
  while (alive && !draining_) {
    enter(Phase::idle, limits_.idle_time);
    alive = co_await exchange();
    parser_.reset();  // An idle connection keeps no body.
  }
  if (phase_ == Phase::lingering) co_await linger();
}

Awaitable<bool> Connection::exchange() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser_->body_limit(limits_.body_bytes);

  Received received = co_await receive_head();
  if (received == Received::gone) co_return false;
  if (received == Received::complete && (refusal_ = protocol_error())) received = Received::refused;

  const auto begin = Clock::now();
  std::optional<Reply> reply;
  Endpoint endpoint = Endpoint::none;
  if (received == Received::complete) {
    Admission admission = routes_.admit(head());
    endpoint = admission.route.endpoint;
    if (admission.refusal) {
      reply = std::move(admission.refusal);
      const auto expected = parser_->content_length().value_or(0);
      reply->close = parser_->chunked() || expected > forgettable_body ||
                     parser_->get().count(http::field::expect) > 0;
    }
    if (!reply || !reply->close) received = co_await receive_body();
    if (received == Received::gone) co_return false;
    if (received == Received::complete && !reply) reply = co_await answer(admission);
  }
  if (received == Received::refused) reply = std::exchange(refusal_, std::nullopt);

  const bool keep_alive = !reply->close && !draining_ && parser_->get().keep_alive();
  log_access(*reply, begin);
  routes_.meter().count(endpoint, reply->status, Clock::now() - begin);
  if (!co_await write(*reply, keep_alive)) co_return false;
  if (keep_alive) co_return true;
  // More may come after a request that was not read to its end.
  if (reply->close || buffer_.size() > 0) enter(Phase::lingering, limits_.linger_time);
  co_return false;
}

// Neither headers nor bodies: they hold tokens and settings.
void Connection::log_access(const Reply& reply, Clock::time_point begin) const {
  if (!spdlog::should_log(spdlog::level::debug)) return;
  std::string method = "-";
  std::string path = "-";
  if (parser_->is_header_done()) {
    method = parser_->get().method_string();
    path = path_of(parser_->get().target());
  }
  const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  supervisor::logs::log_event(spdlog::level::debug, "request.answered",
                              {{"method", method},
                               {"path", path},
                               {"status", reply.status},
                               {"bytes", reply.body.size()},
                               {"us", spent.count()}});
}

Awaitable<Connection::Received> Connection::receive_head() {
  for (;;) {
    if (buffer_.size() > 0) {
      if (phase_ == Phase::idle) enter(Phase::head, limits_.header_time);
      boost::system::error_code error;
      buffer_.consume(parser_->put(buffer_.data(), error));
      if (error && error != http::error::need_more) co_return refuse(error);
      if (parser_->is_header_done()) co_return Received::complete;
    }
    const Received more = co_await receive_more();
    if (more != Received::complete) co_return more;
  }
}

Awaitable<Connection::Received> Connection::receive_body() {
  if (parser_->is_done()) co_return Received::complete;
  const auto length = parser_->content_length();
  enter(Phase::body,
        limits_.idle_time + Limits::transfer_time(length ? *length : limits_.body_bytes));
  const auto& fields = parser_->get();
  if (buffer_.size() == 0 && fields.version() == 11 &&
      boost::beast::iequals(fields[http::field::expect], "100-continue")) {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(go_on), as_values);
    if (error) co_return Received::gone;
  }
  for (;;) {
    while (buffer_.size() > 0) {
      boost::system::error_code error;
      const std::size_t used = parser_->put(buffer_.data(), error);
      buffer_.consume(used);
      if (error && error != http::error::need_more) co_return refuse(error);
      if (parser_->is_done()) co_return Received::complete;
      if (error || used == 0) break;
    }
    const Received more = co_await receive_more();
    if (more != Received::complete) co_return more;
  }
}

Awaitable<Connection::Received> Connection::receive_more() {
  const std::size_t space = buffer_.max_size() - buffer_.size();
  if (space == 0) co_return refuse(http::error::header_limit);
  const auto [error, size] =
      co_await socket_.async_read_some(buffer_.prepare(std::min(space, read_size)), as_values);
  if (!error) {
    buffer_.commit(size);
    co_return Received::complete;
  }
  if (!overdue_ || phase_ == Phase::idle) co_return Received::gone;
  refusal_ = reply_to(
      make_failure(v1::REASON_REQUEST_TIMEOUT, "http", "The request did not arrive in time."));
  refusal_->close = true;
  co_return Received::refused;
}

Connection::Received Connection::refuse(boost::system::error_code error) {
  if (error == http::error::header_limit) {
    refusal_ = too_large(431, "head", limits_.header_bytes);
  } else if (error == http::error::body_limit) {
    refusal_ = too_large(413, "body", limits_.body_bytes);
  } else {
    refusal_ = malformed("The request is not well-formed HTTP: " + error.message() + ".");
  }
  return Received::refused;
}

std::optional<Reply> Connection::protocol_error() const {
  const auto& fields = parser_->get();
  if (fields.version() != 10 && fields.version() != 11) {
    Reply reply = malformed("Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    reply.status = 505;
    return reply;
  }
  // Taken for a request without body, what follows would be read as another
  // request: the way requests are smuggled past a proxy.
  if (fields.count(http::field::transfer_encoding) > 0 && !parser_->chunked())
    return malformed("The only Transfer-Encoding taken is chunked.");
  const auto hosts = fields.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && fields.version() == 11) ||
      (hosts == 1 && !fields[http::field::host].empty() &&
       !is_authority(fields[http::field::host])))
    return malformed("A request needs exactly one valid Host header.");
  return std::nullopt;
}

RequestHead Connection::head() const {
  const auto& fields = parser_->get();
  RequestHead head;
  head.method = fields.method();
  head.target = fields.target();
  head.host = fields[http::field::host];
  if (head.host.empty()) head.host = authority_;
  head.authorization = fields[http::field::authorization];
  head.content_type = fields[http::field::content_type];
  head.prefer = fields[http::field::prefer];
  head.requested_by = fields["X-Requested-By"];
  head.request_id = fields["X-Request-Id"];
  return head;
}

Awaitable<Reply> Connection::answer(const Admission& admission) {
  if (authority_.empty() && parser_->get()[http::field::host].empty()) {
    boost::system::error_code error;
    const auto endpoint = socket_.local_endpoint(error);
    const std::string address = endpoint.address().to_string();
    authority_ = (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
                 std::to_string(endpoint.port());
  }
  // The call has a deadline of its own.
  enter(Phase::answering, std::chrono::hours(24 * 365));
  abandoned_on_hangup_ = Routes::abandons_on_hangup(admission.route.endpoint);
  const auto asked = head();
  const bool reads = asked.method == http::verb::get || asked.method == http::verb::head;
  in_flight_.set_caller(reads ? std::string() : serialised_caller(asked, admission.actor, client_));
  Reply reply = co_await routes_.answer(asked, admission.route, parser_->get().body(), in_flight_);
  if (aborted_ && reply.status >= 500)
    reply = reply_to(make_failure(v1::REASON_SHUTTING_DOWN, "drain",
                                  "The gateway is shutting down and gave the call up.",
                                  "It may have had its effect; look before you repeat it."));
  co_return reply;
}

Awaitable<bool> Connection::write(const Reply& reply, bool keep_alive) {
  enter(Phase::writing, limits_.idle_time + Limits::transfer_time(reply.body.size()));
  const std::string head = head_of(reply, keep_alive, http_date());
  const bool bodiless = parser_->is_header_done() && parser_->get().method() == http::verb::head;
  std::array<asio::const_buffer, 2> parts{
      asio::buffer(head), bodiless ? asio::const_buffer() : asio::buffer(reply.body)};
  // Nearly every answer fits into the socket's buffer; only the rest of one
  // that does not has to wait.
  boost::system::error_code error;
  std::size_t written = socket_.write_some(parts, error);
  if (error && error != asio::error::would_block) co_return false;
  for (auto& part : parts) {
    const std::size_t done = std::min(written, part.size());
    part += done;
    written -= done;
  }
  if (asio::buffer_size(parts) == 0) co_return true;
  // All at once, and not in pieces of 64 KiB, as is usual.
  const auto all = [](boost::system::error_code failed, std::size_t) {
    return failed ? std::size_t{0} : std::numeric_limits<std::size_t>::max();
  };
  co_return !std::get<0>(co_await asio::async_write(socket_, parts, all, as_values));
}

Awaitable<void> Connection::linger() {
  boost::system::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  std::array<char, 4096> sink;
  for (std::size_t seen = 0; seen < limits_.linger_bytes;) {
    const auto [error, size] = co_await socket_.async_read_some(asio::buffer(sink), as_values);
    if (error) co_return;
    seen += size;
  }
}

bool Connection::client_hung_up() {
  // POLLRDHUP tells the end of the stream even behind bytes not yet read.
  pollfd probe{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&probe, 1, 0) > 0 && (probe.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void Connection::sweep(Clock::time_point now) {
  boost::system::error_code ignored;
  if (phase_ == Phase::answering) {
    if (abandoned_on_hangup_ && client_hung_up()) in_flight_.cancel();
    return;
  }
  if (now < deadline_ || overdue_) return;
  overdue_ = true;
  switch (phase_) {
    case Phase::idle:
    case Phase::head:
    case Phase::body:
      // The reader wakes up and, if there was a request, says what happened.
      socket_.cancel(ignored);
      break;
    case Phase::answering:
      break;
    case Phase::writing:
    case Phase::lingering:
      socket_.close(ignored);
      break;
  }
}

void Connection::drain() {
  draining_ = true;
  boost::system::error_code ignored;
  if (phase_ == Phase::idle) socket_.close(ignored);
}

void Connection::abort() {
  draining_ = true;
  aborted_ = true;
  boost::system::error_code ignored;
  if (phase_ == Phase::answering) {
    in_flight_.cancel();
  } else {
    socket_.close(ignored);
  }
}

std::optional<Clock::time_point> Connection::idle_since() const {
  if (phase_ != Phase::idle) return std::nullopt;
  return phase_begin_;
}

}  // namespace gateway
