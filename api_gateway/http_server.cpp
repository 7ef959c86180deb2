#include "api_gateway/http_server.h"

#include <algorithm>

#include "supervisor/logs/structured_log.h"

namespace gateway {
namespace {

// A connection just accepted is about to ask; only one that has been silent
// for this long may be closed to make room.
constexpr std::chrono::seconds evictable_after{1};

void log_exception(std::string_view where, std::exception_ptr exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const std::exception& error) {
    supervisor::logs::log_event(spdlog::level::err, "gateway.exception",
                                {{"where", where}, {"error", error.what()}});
  }
}

}  // namespace

HttpServer::HttpServer(asio::io_context& context, Acceptor acceptor, const Routes& routes,
                       const Limits& limits)
    : context_(context),
      acceptor_(std::move(acceptor)),
      routes_(routes),
      limits_(limits),
      sweeping_(context.get_executor()),
      room_(context.get_executor()) {}

void HttpServer::start() {
  asio::co_spawn(context_, accept(),
                 [](std::exception_ptr exception) { log_exception("accept", exception); });
  asio::co_spawn(context_, keep_time(),
                 [](std::exception_ptr exception) { log_exception("sweep", exception); });
}

void HttpServer::drain() {
  asio::post(context_, [this] {
    draining_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    room_.cancel();
    sweeping_.cancel();
    const std::lock_guard lock(lane_);
    for (auto& connection : connections_) connection->drain();
  });
}

void HttpServer::abort() {
  asio::post(context_, [this] {
    const std::lock_guard lock(lane_);
    for (auto& connection : connections_) connection->abort();
  });
}

Awaitable<void> HttpServer::accept() {
  while (!draining_) {
    if (connections_.size() >= limits_.connections) {
      co_await await_room();
      continue;
    }
    auto [error, socket] = co_await acceptor_.async_accept(as_values);
    if (!error) {
      serve(std::move(socket));
    } else if (!draining_) {
      // Out of descriptors, most likely: accepting at once would only spin.
      supervisor::logs::log_event(spdlog::level::warn, "accept.failed",
                                  {{"error", error.message()}});
      room_.expires_after(std::chrono::milliseconds(100));
      co_await room_.async_wait(as_values);
    }
  }
}

void HttpServer::make_room() {
  const std::lock_guard lock(lane_);
  Connection* longest_idle = nullptr;
  Clock::time_point since = Clock::now() - evictable_after;
  for (const auto& connection : connections_) {
    const auto idle = connection->idle_since();
    if (!idle || *idle > since) continue;
    since = *idle;
    longest_idle = connection.get();
  }
  if (longest_idle != nullptr) longest_idle->drain();
}

Awaitable<void> HttpServer::await_room() {
  make_room();
  // Woken by finished(), or to look again for one that has become idle.
  room_.expires_after(std::chrono::milliseconds(100));
  co_await room_.async_wait(as_values);
}

void HttpServer::serve(Socket socket) {
  connections_.push_front(std::make_unique<Connection>(std::move(socket), routes_, limits_, lane_));
  routes_.meter().connections.Increment();
  const auto connection = connections_.begin();
  asio::co_spawn(context_, (*connection)->serve(), [this, connection](std::exception_ptr error) {
    log_exception("connection", std::move(error));
    finished(connection);
  });
}

void HttpServer::finished(Connections::iterator connection) {
  const bool was_full = connections_.size() >= limits_.connections;
  connections_.erase(connection);
  routes_.meter().connections.Decrement();
  if (was_full) room_.cancel();
  if (draining_ && connections_.empty()) sweeping_.cancel();
}

Awaitable<void> HttpServer::keep_time() {
  while (!draining_ || !connections_.empty()) {
    sweeping_.expires_after(limits_.sweep_interval());
    co_await sweeping_.async_wait(as_values);
    const auto now = Clock::now();
    const std::lock_guard lock(lane_);
    for (auto& connection : connections_) connection->sweep(now);
  }
}

}  // namespace gateway
