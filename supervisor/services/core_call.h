// Answers a call with a coroutine on the core thread.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <memory>
#include <utility>

#include "supervisor/rpc/unary_call.h"

namespace supervisor::services {

/// Runs `work()` (an awaitable of Outcome<Response>) on `core` and answers
/// `call` with what it returns or throws.
template <typename Request, typename Response, typename Work>
void answer_on_core(const boost::asio::any_io_executor& core,
                    const std::shared_ptr<rpc::UnaryCall<Request, Response>>& call, Work work) {
  boost::asio::co_spawn(
      core,
      [call, work = std::move(work)]() mutable -> boost::asio::awaitable<void> {
        try {
          Outcome<Response> outcome = co_await work();
          call->answer(std::move(outcome));
        } catch (const std::exception& broken) {
          call->answer(make_failure(v1::REASON_INTERNAL, "call", broken.what()));
        }
      },
      boost::asio::detached);
}

}  // namespace supervisor::services
