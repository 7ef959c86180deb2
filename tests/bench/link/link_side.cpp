#include "tests/bench/link/link_side.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include "supervisor/link/link_server.h"
#include "supervisor/sys/random.h"
#include "supervisor/sys/syscall.h"
#include "supervisor/sys/unique_fd.h"
#include "tests/bench/link/python_process.h"

namespace bench {

namespace link = supervisor::link;
namespace v1 = supervisor::v1;

struct LinkSide::Parts {
  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  std::promise<std::string> loaded;
  std::optional<link::LinkServer> server;
  std::unique_ptr<link::LinkServer::Expectation> expectation;
  std::shared_ptr<link::WorkerLink> worker_link;
  std::optional<PythonProcess> process;
  std::thread thread;
};

LinkSide::LinkSide(const std::string& python, const std::filesystem::path& scratch)
    : parts_(std::make_unique<Parts>()) {
  const std::string token = supervisor::sys::random_bytes(32);
  int ends[2];
  supervisor::sys::checked("pipe2", [&] { return ::pipe2(ends, O_CLOEXEC); });
  const supervisor::sys::UniqueFd read_end(ends[0]);
  supervisor::sys::UniqueFd write_end(ends[1]);
  supervisor::sys::checked("write",
                           [&] { return ::write(write_end.get(), token.data(), token.size()); });
  write_end.reset();

  link::LinkEvents events;
  events.loaded = [this](const v1::Loaded&) { parts_->loaded.set_value({}); };
  events.load_failed = [this](const supervisor::Failure& failure) {
    parts_->loaded.set_value(failure.message());
  };
  parts_->server.emplace(parts_->io.get_executor(), link::LinkOptions{});
  parts_->thread = std::thread([this] { parts_->io.run(); });
  parts_->expectation =
      parts_->server->expect({"trivial", 1}, scratch / "link.sock", token, std::move(events));
  parts_->worker_link = parts_->expectation->link();
  parts_->process.emplace(
      python,
      std::vector<std::string>{"-u", std::string(WORKER_SHIM_DIR) + "/start_worker.py", "--socket",
                               parts_->expectation->socket_path(), "--plugin", "trivial",
                               "--generation", "1", "--token-fd", "3"},
      read_end.get());
  parts_->expectation->set_pid(parts_->process->pid());
  v1::Load load;
  load.set_key("trivial");
  load.set_directory(std::string(BENCH_DIR) + "/trivial");
  load.set_folder_name("trivial");
  load.set_plugins_dir(BENCH_DIR);
  load.set_settings_json("{}");
  parts_->worker_link->load(load);
  auto loaded = parts_->loaded.get_future();
  if (loaded.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
    throw std::runtime_error("the worker did not load its plugin in time");
  }
  if (const auto error = loaded.get(); !error.empty()) throw std::runtime_error(error);
}

LinkSide::~LinkSide() {
  parts_->process.reset();
  parts_->expectation.reset();
  parts_->server.reset();
  parts_->io.stop();
  if (parts_->thread.joinable()) parts_->thread.join();
}

void LinkSide::begin(const std::string& params, std::function<void(bool ok)> done) {
  parts_->worker_link->invoke(
      {v1::CALL_KIND_RUN, "echo", params, "", false,
       link::WorkerLink::Clock::now() + std::chrono::seconds(30)},
      [done = std::move(done)](const supervisor::Outcome<std::string>& outcome) {
        done(outcome.has_value());
      });
}

pid_t LinkSide::worker_pid() const { return parts_->process->pid(); }

}  // namespace bench
