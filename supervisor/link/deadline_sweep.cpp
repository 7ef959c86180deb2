#include "supervisor/link/deadline_sweep.h"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

namespace supervisor::link {

DeadlineSweep::DeadlineSweep(const boost::asio::any_io_executor& executor)
    : timer_(boost::asio::make_strand(executor)) {}

void DeadlineSweep::watch(std::weak_ptr<Expiring> thing) {
  const std::lock_guard lock(mutex_);
  things_.push_back(std::move(thing));
}

void DeadlineSweep::wake() {
  if (armed_.load(std::memory_order_relaxed) || armed_.exchange(true)) return;
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->arm(); });
}

void DeadlineSweep::end() {
  ended_ = true;
  boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->timer_.cancel(); });
}

void DeadlineSweep::arm() {
  if (ended_) return;
  timer_.expires_after(tick);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->ended_) self->sweep();
  });
}

void DeadlineSweep::sweep() {
  // Disarmed first: whoever adds a deadline while this looks arms it again,
  // so none is missed.
  armed_ = false;
  std::vector<std::shared_ptr<Expiring>> alive;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(things_, [](const auto& thing) { return thing.expired(); });
    for (const auto& thing : things_) {
      if (auto living = thing.lock()) alive.push_back(std::move(living));
    }
  }
  bool more = false;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& thing : alive) more = thing->expire(now) || more;
  if (more && !armed_.exchange(true)) arm();
}

}  // namespace supervisor::link
