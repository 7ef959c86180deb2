// A thread on which blocking database calls are made for coroutines. Owned by
// the store; joined when destroyed.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "supervisor/sys/failure.h"

namespace supervisor::store {

class StoreThread {
 public:
  ~StoreThread() { pool_.join(); }

  /// Runs `work` on the thread, after what was asked before, and resumes the
  /// caller on its own executor, which must be one thread or a strand. Empty
  /// when the answer is not there within `deadline`; the work goes on, and its
  /// answer is dropped. Throws operation_aborted when the caller is cancelled.
  /// `work` must not throw.
  template <typename T>
  boost::asio::awaitable<std::optional<Outcome<T>>> run(std::function<Outcome<T>()> work,
                                                        std::chrono::milliseconds deadline) {
    namespace asio = boost::asio;
    struct Call {
      explicit Call(const asio::any_io_executor& executor) : answered(executor) {}
      asio::steady_timer answered;
      std::optional<Outcome<T>> outcome;
    };
    const auto executor = co_await asio::this_coro::executor;
    auto call = std::make_shared<Call>(executor);
    call->answered.expires_after(deadline);
    asio::post(pool_, [call, executor, work = std::move(work)]() mutable {
      auto outcome = work();
      // The thread gives its reference away: a timer dies on its own executor.
      asio::post(executor, [call = std::move(call), outcome = std::move(outcome)]() mutable {
        call->outcome.emplace(std::move(outcome));
        call->answered.cancel();
      });
    });
    const auto [error] = co_await call->answered.async_wait(asio::as_tuple(asio::use_awaitable));
    if (call->outcome) co_return std::move(call->outcome);
    if (error) throw boost::system::system_error(error);
    co_return std::nullopt;
  }

 private:
  boost::asio::thread_pool pool_{1};
};

}  // namespace supervisor::store
