// Answers a unary call with a coroutine on the core thread.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <utility>

#include "supervisor/sys/failure.h"

namespace supervisor::services {

/// Runs `work()` (an awaitable of Outcome<Response>) on `core`, then moves its
/// value into `response` and finishes the call. The response belongs to gRPC
/// and lives until the call is finished.
template <typename Response, typename Work>
grpc::ServerUnaryReactor* on_core(const boost::asio::any_io_executor& core,
                                  grpc::CallbackServerContext* context, Response* response,
                                  Work work) {
  auto* reactor = context->DefaultReactor();
  boost::asio::co_spawn(
      core,
      [reactor, response, work = std::move(work)]() mutable -> boost::asio::awaitable<void> {
        grpc::Status status;
        try {
          Outcome<Response> outcome = co_await work();
          if (outcome.has_value()) {
            *response = std::move(outcome.value());
          } else {
            status = to_status(outcome.error());
          }
        } catch (const std::exception& broken) {
          status = to_status(make_failure(v1::REASON_INTERNAL, "call", broken.what()));
        }
        reactor->Finish(std::move(status));
      },
      boost::asio::detached);
  return reactor;
}

}  // namespace supervisor::services
