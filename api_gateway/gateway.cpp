#include "api_gateway/gateway.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <stdexcept>

#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/syscall.h"

namespace gateway {
namespace {

// Whoever reads a token may do everything. Not refused: some ways of handing in
// secrets leave no choice.
void warn_if_exposed(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0)
    supervisor::logs::log_event(spdlog::level::warn, "token.exposed",
                                {{"file", file}, {"hint", "everybody can read it: chmod 600"}});
}

std::vector<std::string> read_tokens(const std::vector<std::string>& files) {
  std::vector<std::string> tokens;
  tokens.reserve(files.size());
  for (const auto& file : files) {
    tokens.push_back(read_token(file));
    warn_if_exposed(file);
  }
  return tokens;
}

Acceptor listen_on(asio::io_context& context, const std::string& listen) {
  const auto parts = split_listen(listen);
  if (!parts) throw std::runtime_error("'" + listen + "' is not HOST:PORT");
  const auto fail = [&listen](const boost::system::error_code& error) {
    if (error) throw std::runtime_error("cannot listen on " + listen + ": " + error.message());
  };
  boost::system::error_code error;
  asio::ip::basic_resolver<tcp, Executor> resolver(context.get_executor());
  const auto found = resolver.resolve(parts->host, parts->port, tcp::resolver::passive, error);
  fail(error);
  const tcp::endpoint endpoint = found.begin()->endpoint();
  Acceptor acceptor(context.get_executor());
  acceptor.open(endpoint.protocol(), error);
  fail(error);
  // Not SO_REUSEPORT: a port that another process serves must be an error.
  acceptor.set_option(asio::socket_base::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  fail(error);
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  fail(error);
  return acceptor;
}

// A second descriptor of the same listening socket, for another thread.
Acceptor shared_with(asio::io_context& context, Acceptor& acceptor) {
  const int descriptor = supervisor::sys::checked("duplicate the listening socket", [&acceptor] {
    return ::fcntl(acceptor.native_handle(), F_DUPFD_CLOEXEC, 0);
  });
  return {context.get_executor(), acceptor.local_endpoint().protocol(), descriptor};
}

// Every connection needs a descriptor; the usual soft limit is 1024.
void allow_descriptors(std::size_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = connections + 64;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Gateway::Door::Door(asio::io_context& context, const Options& options,
                    const std::function<void()>& once_listening)
    : tokens(read_tokens(options.token_files)), acceptor(listen_on(context, options.listen)) {
  if (options.tls.all()) tls = supervisor::rpc::read_tls(options.tls);
  if (once_listening) once_listening();
}

Gateway::Gateway(const Options& options, const std::function<void()>& once_listening)
    : lanes_(options.threads),
      door_(lanes_.front().context, options, once_listening),
      supervisor_(options, door_.tls ? &*door_.tls : nullptr),
      routes_(std::move(door_.tokens), options.metrics_open, supervisor_, meter_) {
  allow_descriptors(options.limits.connections);
  Limits limits = options.limits;
  limits.connections = (limits.connections + options.threads - 1) / options.threads;

  Acceptor& first = door_.acceptor;
  const tcp::endpoint endpoint = first.local_endpoint();
  port_ = endpoint.port();
  const std::string address = endpoint.address().to_string();
  url_ = "http://" + (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(port_);
  for (std::size_t i = 1; i < lanes_.size(); ++i)
    lanes_[i].server = std::make_unique<HttpServer>(
        lanes_[i].context, shared_with(lanes_[i].context, first), routes_, limits);
  lanes_.front().server =
      std::make_unique<HttpServer>(lanes_.front().context, std::move(first), routes_, limits);
}

Gateway::~Gateway() {
  drain();
  abort();
  for (auto& lane : lanes_)
    if (lane.thread.joinable()) lane.thread.join();
}

void Gateway::start() {
  running_ = lanes_.size();
  for (auto& lane : lanes_) {
    lane.server->start();
    lane.thread = std::thread([this, &lane] { run(lane); });
  }
}

void Gateway::run(Lane& lane) {
  lane.context.run();
  if (--running_ == 0 && on_drained_) on_drained_();
}

void Gateway::look_for_life(std::function<void()> all_live) {
  const auto missing = std::make_shared<std::atomic<std::size_t>>(lanes_.size());
  for (auto& lane : lanes_)
    asio::post(lane.context, [missing, all_live] {
      if (--*missing == 0) all_live();
    });
}

void Gateway::drain() {
  for (auto& lane : lanes_) lane.server->drain();
}

void Gateway::abort() {
  for (auto& lane : lanes_) lane.server->abort();
}

}  // namespace gateway
