#include "supervisor/link/link_server.h"

#include "supervisor/link/launch_register.h"
#include "supervisor/link/launch_socket.h"
#include "supervisor/link/stream_link.h"
#include "supervisor/link/stream_server.h"
#include "supervisor/sys/digest.h"

namespace supervisor::link {
namespace {

class LaunchExpectation final : public LinkServer::Expectation {
 public:
  LaunchExpectation(std::shared_ptr<LaunchRegister> launches, std::shared_ptr<StreamLink> link,
                    std::shared_ptr<LaunchSocket> socket)
      : launches_(std::move(launches)), link_(std::move(link)), socket_(std::move(socket)) {}
  LaunchExpectation(const LaunchExpectation&) = delete;
  LaunchExpectation& operator=(const LaunchExpectation&) = delete;
  ~LaunchExpectation() override {
    launches_->remove(*link_);
    socket_->close();
  }

  [[nodiscard]] const std::filesystem::path& socket_path() const override {
    return socket_->path();
  }
  void set_pid(pid_t pid) override { socket_->set_pid(pid); }
  void set_parent(pid_t pid) override { socket_->set_parent(pid); }
  [[nodiscard]] pid_t peer_pid() const override { return socket_->peer_pid(); }
  [[nodiscard]] std::shared_ptr<WorkerLink> link() const override { return link_; }

 private:
  const std::shared_ptr<LaunchRegister> launches_;
  const std::shared_ptr<StreamLink> link_;
  const std::shared_ptr<LaunchSocket> socket_;
};

}  // namespace

struct LinkServer::Impl {
  Impl(boost::asio::any_io_executor on, LinkOptions given)
      : executor(std::move(on)),
        options(given),
        sweep(std::make_shared<DeadlineSweep>(executor)),
        launches(std::make_shared<LaunchRegister>(sweep)),
        streams(std::make_shared<StreamServer>(launches, options)) {}

  boost::asio::any_io_executor executor;
  LinkOptions options;
  std::shared_ptr<DeadlineSweep> sweep;
  std::shared_ptr<LaunchRegister> launches;
  std::shared_ptr<StreamServer> streams;
};

LinkServer::LinkServer(boost::asio::any_io_executor executor, LinkOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), options)) {}

LinkServer::~LinkServer() {
  const auto why = make_failure(v1::REASON_SHUTTING_DOWN, "link", "The supervisor is ending.");
  for (const auto& link : impl_->launches->links()) link->close(why);
  impl_->streams->shut_down();
  impl_->sweep->end();
}

std::unique_ptr<LinkServer::Expectation> LinkServer::expect(LaunchId launch,
                                                            std::filesystem::path socket_path,
                                                            const std::string& token,
                                                            LinkEvents events,
                                                            std::uint32_t max_in_flight) {
  return expect_again(std::move(launch), std::move(socket_path), sys::sha256(token),
                      std::move(events), max_in_flight);
}

std::unique_ptr<LinkServer::Expectation> LinkServer::expect_again(LaunchId launch,
                                                                  std::filesystem::path socket_path,
                                                                  std::string token_digest,
                                                                  LinkEvents events,
                                                                  std::uint32_t max_in_flight) {
  auto options = impl_->options;
  if (max_in_flight != 0) options.max_in_flight = max_in_flight;
  auto link =
      std::make_shared<StreamLink>(std::move(launch), std::move(events), options, impl_->sweep);
  auto socket = std::make_shared<LaunchSocket>(
      impl_->executor, std::move(socket_path),
      [streams = impl_->streams](sys::UniqueFd fd) { streams->take(std::move(fd)); });
  impl_->sweep->watch(link);
  impl_->launches->add(link, std::move(token_digest));
  socket->open();
  return std::make_unique<LaunchExpectation>(impl_->launches, std::move(link), std::move(socket));
}

}  // namespace supervisor::link
