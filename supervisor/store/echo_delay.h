// Holds back for a moment what the database tells of our own writes: whoever
// wrote has the row as it was stored, and what the write set going (the start of
// a worker) needs the processor more than the reading of it again. Nothing is
// dropped: a write may have had more effects than its writer knows.
//
// Owned by Store::watch(), used on its executor only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace supervisor::store {

class EchoDelay {
 public:
  /// `changed` must outlive it.
  EchoDelay(const boost::asio::any_io_executor& executor, std::chrono::milliseconds delay,
            const std::function<void(std::string)>& changed)
      : delay_(delay), held_(std::make_shared<Held>(Held{Timer(executor), {}, changed})) {}
  // Its last wait may be in the executor's hands already.
  ~EchoDelay() {
    held_->timer.cancel();
    held_->keys.clear();
  }
  EchoDelay(const EchoDelay&) = delete;
  EchoDelay& operator=(const EchoDelay&) = delete;

  /// Calls `changed` with the key once the delay is over; once for as many as
  /// came until then.
  void take(std::string key) {
    const bool waits = !held_->keys.empty();
    held_->keys.insert(std::move(key));
    if (waits) return;
    held_->timer.expires_after(delay_);
    held_->timer.async_wait([held = held_](const boost::system::error_code&) {
      for (const auto& one : std::exchange(held->keys, {})) held->changed(one);
    });
  }

 private:
  using Timer = boost::asio::steady_timer;
  struct Held {
    Timer timer;
    std::set<std::string> keys;
    const std::function<void(std::string)>& changed;
  };

  const std::chrono::milliseconds delay_;
  const std::shared_ptr<Held> held_;
};

}  // namespace supervisor::store
