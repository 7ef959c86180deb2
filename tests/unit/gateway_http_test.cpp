// The gateway over real sockets, with no supervisor behind it.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "api_gateway/gateway.h"
#include "supervisor/sys/unix_socket.h"

using namespace gateway;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

// A gateway on a free port whose supervisor is away.
struct RunningGateway {
  std::string directory;
  std::mutex mutex;
  std::condition_variable changed;
  bool drained = false;
  std::unique_ptr<Gateway> gateway;

  explicit RunningGateway(const std::function<void(Options&)>& change = {}) {
    directory = (std::filesystem::temp_directory_path() / "gateway_test_XXXXXX").string();
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    std::ofstream(directory + "/token") << "secret\n";
    Options options;
    options.listen = "127.0.0.1:0";
    options.supervisor_socket = directory + "/supervisor.sock";
    options.token_files = {directory + "/token"};
    if (change) change(options);
    gateway = std::make_unique<Gateway>(options);
    gateway->when_drained([this] {
      const std::lock_guard lock(mutex);
      drained = true;
      changed.notify_all();
    });
    gateway->start();
  }
  ~RunningGateway() {
    gateway.reset();
    std::filesystem::remove_all(directory);
  }
  bool await_drained() {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, [this] { return drained; });
  }
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  [[nodiscard]] json::object json() const { return json::parse(body).as_object(); }
  [[nodiscard]] bool has(const std::string& line) const {
    return head.find("\r\n" + line + "\r\n") != std::string::npos;
  }
};

// A blocking client; no read waits longer than ten seconds.
class Client {
 public:
  explicit Client(const RunningGateway& server) : socket_(context_) {
    socket_.connect({asio::ip::address_v4::loopback(), server.gateway->port()});
    const timeval limit{10, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  Client& send(std::string_view text) {
    boost::system::error_code ignored;  // The server may have refused already.
    asio::write(socket_, asio::buffer(text), ignored);
    return *this;
  }
  Answer receive(bool bodiless = false) {
    Answer answer;
    std::size_t end = std::string::npos;
    while ((end = seen_.find("\r\n\r\n")) == std::string::npos)
      if (!read_some()) return answer;
    answer.head = seen_.substr(0, end + 4);
    seen_.erase(0, end + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const auto length = answer.head.find("Content-Length: ");
    if (bodiless || length == std::string::npos) return answer;
    const std::size_t size = std::stoul(answer.head.substr(length + 16));
    while (seen_.size() < size)
      if (!read_some()) return answer;
    answer.body = seen_.substr(0, size);
    seen_.erase(0, size);
    return answer;
  }
  Answer ask(std::string_view text) { return send(text).receive(); }
  /// True when the server has ended the connection.
  bool closed() { return seen_.empty() && !read_some(); }

 private:
  bool read_some() {
    char bytes[4096];
    const ssize_t size = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
    if (size <= 0) {
      // Only the end of the stream counts as an end, not ten seconds of silence.
      REQUIRE_FALSE((size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)));
      return false;
    }
    seen_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  std::string seen_;
};

std::string post(const std::string& path, const std::string& body,
                 const std::string& headers = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string get(const std::string& path, const std::string& headers = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
}

const std::string run_path = "/api/plugins/plugins/k/run/";

}  // namespace

TEST_CASE("the gateway is healthy but not ready while the supervisor is away") {
  const RunningGateway server;
  Client client(server);
  CHECK(client.ask(get("/healthz")).status == 200);
  const Answer ready = client.ask(get("/readyz"));
  CHECK(ready.status == 503);
  CHECK(ready.json().at("code").as_string() == "supervisor_unavailable");
  CHECK(ready.has("Retry-After: 1"));
}

TEST_CASE("every call is answered at once while the supervisor is away") {
  const RunningGateway server;
  Client client(server);
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& request :
       {post(run_path, R"({"action":"a"})"), post("/api/plugins/plugins/reload/", ""),
        post("/api/plugins/plugins/k/enabled", R"({"enabled":true})"),
        post("/api/plugins/plugins/k/settings/", R"({"settings":{}})"),
        get("/api/plugins/plugins/", "Authorization: bearer secret\r\n"),
        get("/api/plugins/plugins/k/logo/")}) {
    CAPTURE(request);
    const Answer answer = client.ask(request);
    CHECK(answer.status == 503);
    CHECK(answer.json().at("code").as_string() == "supervisor_unavailable");
  }
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("nothing but health and logos is told without the token") {
  const RunningGateway server;
  Client client(server);
  for (const auto* headers :
       {"", "Authorization: Bearer wrong\r\n", "Authorization: Bearer\r\n",
        "Authorization: Basic secret\r\n", "Authorization: Bearer secretx\r\n"}) {
    CAPTURE(headers);
    const Answer answer = client.ask(get("/api/plugins/plugins/", headers));
    CHECK(answer.status == 401);
    CHECK(answer.has("WWW-Authenticate: Bearer"));
    CHECK(answer.json().at("code").as_string() == "unauthenticated");
  }
}

TEST_CASE("a refused request's body does not become the next request") {
  const RunningGateway server;
  Client client(server);
  const std::string body = get("/healthz");
  CHECK(client.ask(post("/nowhere", body)).status == 404);
  CHECK(client.ask(get("/readyz")).status == 503);
}

TEST_CASE("unknown paths, methods and media are told apart") {
  const RunningGateway server;
  Client client(server);
  CHECK(client.ask(get("/api/plugins/nowhere/")).status == 404);
  const Answer method = client.ask(post("/healthz", ""));
  CHECK(method.status == 405);
  CHECK(method.has("Allow: GET, HEAD"));
  CHECK(client.ask(get(run_path)).has("Allow: POST"));
  CHECK(client.ask(post(run_path, "a=b", "Content-Type: application/x-www-form-urlencoded\r\n"))
            .status == 415);
  // Without a body there is nothing to misunderstand.
  const Answer empty =
      client.ask(post(run_path, "", "Content-Type: application/x-www-form-urlencoded\r\n"));
  CHECK(empty.status == 400);
  CHECK(empty.json().at("error").as_string() == "Missing 'action'");
}

TEST_CASE("HEAD is answered like GET, without the body") {
  const RunningGateway server;
  Client client(server);
  const Answer answer = client.send("HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n").receive(true);
  CHECK(answer.status == 200);
  CHECK(answer.has("Content-Length: 15"));
  CHECK(client.ask(get("/healthz")).body == R"({"status":"ok"})");
}

TEST_CASE("requests sent ahead are answered in their order") {
  const RunningGateway server;
  Client client(server);
  client.send(get("/healthz") + get("/nowhere") + get("/healthz"));
  CHECK(client.receive().status == 200);
  CHECK(client.receive().status == 404);
  CHECK(client.receive().status == 200);
}

TEST_CASE("a connection ends when the client asks for it, or speaks HTTP/1.0") {
  const RunningGateway server;
  Client polite(server);
  CHECK(polite.ask(get("/healthz", "Connection: close\r\n")).has("Connection: close"));
  CHECK(polite.closed());
  Client old(server);
  CHECK(old.ask("GET /healthz HTTP/1.0\r\n\r\n").status == 200);
  CHECK(old.closed());
}

TEST_CASE("what is not HTTP is answered 400 and ends the connection") {
  const RunningGateway server;
  for (const std::string request :
       {"nonsense\r\n\r\n", "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a b\"\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
        "chunked\r\n\r\n",
        "POST /healthz HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"}) {
    CAPTURE(request);
    Client client(server);
    const Answer answer = client.ask(request);
    CHECK(answer.status == 400);
    CHECK(answer.json().at("code").as_string() == "invalid_request");
    CHECK(client.closed());
  }
  Client future(server);
  CHECK(future.ask("GET /healthz HTTP/2.0\r\nHost: h\r\n\r\n").status >= 400);
}

TEST_CASE("a head or a body over its limit is refused") {
  const RunningGateway server([](Options& options) {
    options.limits.header_bytes = 1024;
    options.limits.body_bytes = 1000;
  });
  Client head(server);
  CHECK(head.ask(get("/healthz", "X: " + std::string(5000, 'x') + "\r\n")).status == 431);
  CHECK(head.closed());
  Client body(server);
  const Answer refused = body.ask(post(run_path, std::string(1001, ' ')));
  CHECK(refused.status == 413);
  CHECK(refused.json().at("code").as_string() == "request_too_large");
  CHECK(body.closed());
  Client fits(server);
  CHECK(fits.ask(post(run_path, std::string(1000, ' '))).status == 400);
}

TEST_CASE("a chunked body is taken, and counted") {
  const RunningGateway server([](Options& options) { options.limits.body_bytes = 100; });
  const std::string head = "POST " + run_path +
                           " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer secret\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
  Client client(server);
  const Answer answer = client.ask(head + "9\r\n{\"action\"\r\n5\r\n:\"a\"}\r\n0\r\n\r\n");
  CHECK(answer.status == 503);
  CHECK(client.ask(head + "c8\r\n" + std::string(200, ' ') + "\r\n0\r\n\r\n").status == 413);
}

TEST_CASE("a client that waits for 100 Continue gets it") {
  const RunningGateway server;
  Client client(server);
  const std::string body = R"({"action":"a"})";
  const std::string request = post(run_path, body, "Expect: 100-continue\r\n");
  CHECK(client.ask(request.substr(0, request.size() - body.size())).status == 100);
  CHECK(client.ask(body).status == 503);
}

TEST_CASE("a request that does not arrive in time is answered 408") {
  const RunningGateway server([](Options& options) { options.limits.header_time = 50ms; });
  Client client(server);
  const Answer answer = client.ask("GET /healthz HTTP/1.1\r\nHo");
  CHECK(answer.status == 408);
  CHECK(answer.json().at("code").as_string() == "request_timeout");
  CHECK(client.closed());
}

TEST_CASE("a refused client that never hangs up is not waited for") {
  RunningGateway server([](Options& options) {
    options.limits.header_time = 50ms;
    options.limits.linger_time = 50ms;
  });
  Client client(server);
  CHECK(client.ask("GET /healthz HTTP/1.1\r\nHo").status == 408);
  server.gateway->drain();
  CHECK(server.await_drained());
}

TEST_CASE("a silent connection is closed without a word") {
  const RunningGateway server([](Options& options) { options.limits.idle_time = 50ms; });
  Client client(server);
  CHECK(client.ask(get("/healthz")).status == 200);
  CHECK(client.closed());
}

TEST_CASE("an idle connection gives way to a new one when all places are taken") {
  const RunningGateway server([](Options& options) { options.limits.connections = 2; });
  Client first(server);
  CHECK(first.ask(get("/healthz")).status == 200);
  Client second(server);
  CHECK(second.ask(get("/healthz")).status == 200);
  Client third(server);
  CHECK(third.ask(get("/healthz")).status == 200);
  CHECK(first.closed());
}

TEST_CASE("draining closes idle connections, takes no new one, and ends") {
  RunningGateway server([](Options& options) { options.threads = 2; });
  Client idle(server);
  CHECK(idle.ask(get("/healthz")).status == 200);
  server.gateway->drain();
  CHECK(idle.closed());
  CHECK(server.await_drained());
  CHECK_THROWS(Client(server));
}

TEST_CASE("a request on its way is answered before a draining gateway ends") {
  RunningGateway server;
  Client client(server);
  const std::string body = R"({"action":"a"})";
  const std::string request = post(run_path, body);
  Client witness(server);
  client.send(request.substr(0, request.size() - body.size()));
  // One thread serves both: once the witness is answered, the head is read.
  CHECK(witness.ask(get("/healthz")).status == 200);
  server.gateway->drain();
  CHECK(witness.closed());
  const Answer answer = client.ask(body);
  CHECK(answer.status == 503);
  CHECK(answer.has("Connection: close"));
  CHECK(client.closed());
  CHECK(server.await_drained());
}

// A socket that takes connections and never says anything.
supervisor::sys::UniqueFd silent_supervisor(const RunningGateway& server) {
  return supervisor::sys::listen_unix(server.directory + "/supervisor.sock", 0600);
}

TEST_CASE("a caller is told when a shutdown gives his call up") {
  RunningGateway server;
  const auto supervisor = silent_supervisor(server);
  Client client(server);
  client.send(post(run_path, R"({"action":"a"})"));
  // One thread serves both: once the witness is answered, the call is made.
  Client witness(server);
  CHECK(witness.ask(get("/healthz")).status == 200);
  server.gateway->drain();
  server.gateway->abort();
  const Answer answer = client.receive();
  CHECK(answer.status == 503);
  CHECK(answer.json().at("code").as_string() == "shutting_down");
  CHECK(client.closed());
  CHECK(server.await_drained());
}

TEST_CASE("a call is given up when its caller hangs up") {
  RunningGateway server;
  const auto supervisor = silent_supervisor(server);
  {
    Client client(server);
    client.send(post(run_path, R"({"action":"a"})"));
    Client witness(server);
    CHECK(witness.ask(get("/healthz")).status == 200);
  }
  const auto hung_up = std::chrono::steady_clock::now();
  server.gateway->drain();
  CHECK(server.await_drained());
  // Less than what the attempt to reach the silent supervisor would take.
  CHECK(std::chrono::steady_clock::now() - hung_up < 1500ms);
}

TEST_CASE("a port that is taken is an error that names it") {
  const RunningGateway server;
  Options options;
  options.listen = "127.0.0.1:" + std::to_string(server.gateway->port());
  options.supervisor_socket = server.directory + "/s";
  options.token_files = {server.directory + "/token"};
  CHECK_THROWS_WITH(Gateway(options), Catch::Contains("cannot listen on " + options.listen));
}
