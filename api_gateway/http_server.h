// The connections of one thread: accepts them, keeps their number and their
// time within the limits, and ends them. Several servers may share one
// listening socket, each with its own descriptor of it.
//
// Everything but drain() and abort() happens on the thread that runs
// `context`; those two may be called from any thread. That thread shares a
// connection with the one that completes its calls, under `lane_`.
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "api_gateway/connection.h"
#include "api_gateway/limits.h"
#include "api_gateway/net.h"
#include "api_gateway/routes.h"

namespace gateway {

class HttpServer {
 public:
  /// `routes` outlives this object; this object outlives the run of `context`.
  HttpServer(asio::io_context& context, Acceptor acceptor, const Routes& routes,
             const Limits& limits);

  /// Begins to accept. `context` has work until the server has drained.
  void start();

  /// Accepts nothing more, and ends once the requests under way are answered.
  void drain();

  /// Ends everything now; calls in flight are cancelled.
  void abort();

 private:
  using Connections = std::list<std::unique_ptr<Connection>>;

  Awaitable<void> accept();
  Awaitable<void> keep_time();
  void serve(Socket socket);
  void finished(Connections::iterator connection);
  // Ends the connection that has been idle for longest, if one has been.
  void make_room();
  // Waits until there is room for one more.
  Awaitable<void> await_room();

  asio::io_context& context_;
  Acceptor acceptor_;
  const Routes& routes_;
  const Limits limits_;
  std::mutex lane_;
  Connections connections_;
  Timer sweeping_;
  Timer room_;
  bool draining_ = false;
};

}  // namespace gateway
