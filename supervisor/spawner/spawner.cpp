#include "supervisor/spawner/spawner.h"

#include <boost/asio/use_awaitable.hpp>

#include "supervisor/sandbox/protection_list.h"
#include "supervisor/spawner/spawner_process.h"
#include "supervisor/sys/capabilities.h"

namespace supervisor::spawner {

namespace asio = boost::asio;

namespace {

// Only in a user namespace of its own can it make the others.
bool wants_own_privileges(const Isolation& isolation) {
  return sys::is_unprivileged() && sandbox::contains(isolation.ahead, v1::PROTECTION_PRIVILEGES);
}

}  // namespace

Spawner::Spawner(asio::any_io_executor core, RuntimeProfile profile, Isolation isolation)
    : core_(std::move(core)),
      profile_(std::move(profile)),
      isolation_(std::move(isolation)),
      line_(std::make_shared<Line>(core_)) {}

Spawner::~Spawner() { end(); }

void Spawner::end() {
  if (process_) process_->end();
}

void Spawner::warm_up() { [[maybe_unused]] const auto started = living(); }

pid_t Spawner::pid() const { return process_ && !process_->is_over() ? process_->pid() : 0; }

Outcome<std::shared_ptr<SpawnerProcess>> Spawner::living() {
  if (process_ && !process_->is_over()) return process_;
  auto started = SpawnerProcess::start(core_, profile_, wants_own_privileges(isolation_));
  if (started.has_error()) return started.error();
  if (process_) stillborn_ = process_->was_ready() ? 0 : stillborn_ + 1;
  process_ = started.value();
  return process_;
}

bool Spawner::may_recover() const {
  if (!process_ || process_->was_ready()) return true;
  return stillborn_ + (process_->is_over() ? 1 : 0) < most_stillborn;
}

asio::awaitable<Spawner::Place> Spawner::take_place() {
  Place place(line_);
  co_await place.line_->places.async_send(boost::system::error_code(), asio::use_awaitable);
  place.held_ = true;
  co_return place;
}

Spawner::Place::~Place() {
  if (!line_) return;
  --line_->length;
  if (held_) line_->places.try_receive([](const boost::system::error_code&) {});
}

asio::awaitable<Outcome<Spawned>> Spawner::spawn(const Place&, SpawnOrder order,
                                                 Clock::time_point deadline) {
  auto process = living();
  if (process.has_error()) {
    auto failure = process.error();
    failure.set_plugin(order.plugin);
    co_return failure;
  }
  const auto chosen = process.value();
  order.common = isolation_.common;
  auto spawning = chosen->spawn(std::move(order), deadline);
  co_return co_await std::move(spawning);
}

}  // namespace supervisor::spawner
