#include "supervisor/spawner/spawner.h"

#include <boost/asio/use_awaitable.hpp>

#include "supervisor/spawner/spawner_process.h"

namespace supervisor::spawner {

namespace asio = boost::asio;

Spawner::Spawner(asio::any_io_executor core, RuntimeProfile profile)
    : core_(std::move(core)), profile_(std::move(profile)), places_(core_, max_waiting) {}

Spawner::~Spawner() {
  if (process_) process_->end();
}

void Spawner::warm_up() { [[maybe_unused]] const auto started = living(); }

pid_t Spawner::pid() const { return process_ && !process_->is_over() ? process_->pid() : 0; }

Outcome<std::shared_ptr<SpawnerProcess>> Spawner::living() {
  if (process_ && !process_->is_over()) return process_;
  auto started = SpawnerProcess::start(core_, profile_);
  if (started.has_error()) return started.error();
  process_ = started.value();
  return process_;
}

asio::awaitable<Outcome<Spawned>> Spawner::spawn(SpawnOrder order, Clock::time_point deadline) {
  // A place in the spawner's socket; given back however this ends.
  co_await places_.async_send(boost::system::error_code(), asio::use_awaitable);
  struct Place {
    decltype(places_)& places;
    ~Place() {
      places.try_receive([](const boost::system::error_code&) {});
    }
  };
  const Place place{places_};
  auto process = living();
  if (process.has_error()) {
    auto failure = process.error();
    failure.set_plugin(order.plugin);
    co_return failure;
  }
  const auto chosen = process.value();
  auto spawning = chosen->spawn(std::move(order), deadline);
  co_return co_await std::move(spawning);
}

}  // namespace supervisor::spawner
