// One connection to the gateway, from its first byte to its last. The last byte
// of the input says in what pieces the others come; the supervisor is away.
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <thread>

#include "api_gateway/connection.h"
#include "api_gateway/options.h"
#include "supervisor/sys/json_slice.h"
#include "supervisor/sys/unique_fd.h"
#include "tests/fuzz/expect.h"

namespace {

using namespace gateway;
using fuzz::expect;

// Small, so that inputs of a fuzzer's size reach them.
Limits small_limits() {
  Limits limits;
  limits.header_bytes = 2048;
  limits.body_bytes = 4096;
  limits.linger_bytes = 4096;
  return limits;
}
constexpr std::size_t most_input = 32768;

Options away() {
  Options options;
  options.supervisor_socket = "/nonexistent/supervisor.sock";
  options.request_timeout = std::chrono::seconds(5);
  return options;
}

struct Gateway {
  asio::io_context context{1};
  asio::executor_work_guard<Executor> work{context.get_executor()};
  std::mutex lane;
  GatewayMeter meter;
  SupervisorClient supervisor{away(), nullptr};
  Routes routes{{"token"}, false, supervisor, meter};
  Limits limits = small_limits();
};

// Whatever a client sends, what it gets is answers.
void check_answers(std::string_view answers) {
  while (!answers.empty()) {
    expect(answers.starts_with("HTTP/1.1 "), "an answer begins as one", std::string(answers));
    const auto head_end = answers.find("\r\n\r\n");
    expect(head_end != std::string_view::npos, "a head is whole", std::string(answers));
    const auto head = answers.substr(0, head_end + 2);
    answers.remove_prefix(head_end + 4);
    if (head.starts_with("HTTP/1.1 100")) continue;
    for (std::size_t i = 0; i < head.size(); ++i)
      expect(head[i] != '\n' || head[i - 1] == '\r', "a head has whole lines", std::string(head));
    constexpr std::string_view name = "Content-Length: ";
    const auto at = head.find(name);
    expect(at != std::string_view::npos, "an answer says its length", std::string(head));
    const auto length = std::strtoul(head.data() + at + name.size(), nullptr, 10);
    // Nothing follows the head of an answer to HEAD.
    if (answers.starts_with("HTTP/1.1 ") || (answers.empty() && length > 0)) continue;
    expect(answers.size() >= length, "a body is whole", std::string(answers));
    if (head.find("application/json") != std::string_view::npos)
      expect(supervisor::sys::json_error(answers.substr(0, length)).empty(), "a body is JSON",
             std::string(answers.substr(0, length)));
    answers.remove_prefix(length);
  }
}

class Client {
 public:
  explicit Client(int fd) : socket_(fd) {}

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void finish() { ::shutdown(socket_.get(), SHUT_WR); }
  void receive() {
    std::array<char, 16384> piece;
    for (;;) {
      const auto got = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (got <= 0) return;
      answers_.append(piece.data(), static_cast<std::size_t>(got));
    }
  }
  [[nodiscard]] const std::string& answers() const { return answers_; }

 private:
  supervisor::sys::UniqueFd socket_;
  std::string answers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Gateway gateway;
  if (size == 0 || size > most_input) return 0;
  const unsigned how = data[size - 1];
  auto bytes = fuzz::text_of(data, size - 1);

  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  Client client(ends[0]);
  Socket socket(gateway.context.get_executor());
  socket.assign(tcp::v4(), ends[1]);

  Connection connection(std::move(socket), gateway.routes, gateway.limits, gateway.lane);
  std::atomic<bool> over = false;
  asio::co_spawn(gateway.context, connection.serve(), [&over](std::exception_ptr error) {
    expect(!error, "a connection throws nothing");
    over = true;
  });
  const std::size_t piece = how % 8 == 0 ? most_input : 1 + (how % 8) * (how % 8) * 3;
  while (!bytes.empty() && !over) {
    client.send(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    gateway.context.poll();
    client.receive();
  }
  if (how >= 192) {
    // It is overdue, or the gateway is being stopped, in the middle of it.
    const std::lock_guard lock(gateway.lane);
    if (how % 2 == 0) connection.drain();
    connection.sweep(Clock::now() + std::chrono::hours(1));
  }
  if (!over) client.finish();
  while (!over) {
    gateway.context.run_one_for(std::chrono::seconds(5));
    client.receive();
  }
  client.receive();
  check_answers(client.answers());
  return 0;
}
