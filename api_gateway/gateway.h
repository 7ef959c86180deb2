// The running gateway: the listening socket, the threads that serve it, and
// the channel to the supervisor. Owned by main().
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "api_gateway/http_server.h"
#include "api_gateway/options.h"
#include "api_gateway/routes.h"
#include "api_gateway/supervisor_client.h"

namespace gateway {

class Gateway {
 public:
  /// Listens; nothing is accepted yet. Calls `once_listening` when all that may
  /// need rights is done, and before there is another thread. Throws
  /// std::runtime_error with one line that says what is wrong (a port that is
  /// taken, a token that is missing).
  explicit Gateway(const Options& options, const std::function<void()>& once_listening = {});

  /// Aborts what is under way, and joins the threads.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Begins to accept.
  void start();

  /// "http://127.0.0.1:9195", with the real port.
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] unsigned short port() const { return port_; }

  /// Calls `all_live` once every thread that serves has taken its turn; never,
  /// if one of them hangs.
  void look_for_life(std::function<void()> all_live);

  /// Accepts nothing more; answers what is in flight. Returns at once.
  void drain();

  /// Gives up what is in flight. Returns at once.
  void abort();

  /// Calls `on_drained` (on a thread of this object) when the last connection
  /// has ended after drain(). Set before start().
  void when_drained(std::function<void()> on_drained) { on_drained_ = std::move(on_drained); }

 private:
  // One thread with its own io_context.
  struct Lane {
    asio::io_context context{1};
    std::unique_ptr<HttpServer> server;
    std::thread thread;
  };
  // What is read and opened before anything else.
  struct Door {
    Door(asio::io_context& context, const Options& options,
         const std::function<void()>& once_listening);
    std::vector<std::string> tokens;
    std::optional<supervisor::rpc::TlsTexts> tls;
    Acceptor acceptor;
  };
  void run(Lane& lane);

  // Outlives the supervisor's client, whose thread wakes its contexts.
  std::deque<Lane> lanes_;
  Door door_;
  SupervisorClient supervisor_;
  GatewayMeter meter_;
  Routes routes_;
  std::string url_;
  unsigned short port_ = 0;
  std::function<void()> on_drained_;
  std::atomic<std::size_t> running_{0};
};

}  // namespace gateway
