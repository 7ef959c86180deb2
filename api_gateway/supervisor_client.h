// The supervisor as the gateway sees it: one gRPC channel to its Unix socket,
// shared by all threads. The channel connects again by itself; while the
// supervisor is away every call fails at once with SUPERVISOR_UNAVAILABLE.
//
// Calls are made from a connection's thread. gRPC completes them on threads of
// its own; the coroutine resumes on its io_context.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "api_gateway/net.h"
#include "plugin_supervisor/v1/plugins_service.grpc.pb.h"
#include "supervisor/sys/failure.h"

namespace gateway {

/// Lets whoever waits for a call give it up. Belongs to one connection and is
/// used on its thread only.
class CallInFlight {
 public:
  /// Does nothing when no call is in flight.
  void cancel() {
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  friend class SupervisorClient;
  grpc::ClientContext* context_ = nullptr;
};

enum class Readiness { ready, supervisor_away, database_away };

class SupervisorClient {
 public:
  /// `socket` is the path of the supervisor's socket; it need not exist yet.
  /// `timeout` bounds every call.
  SupervisorClient(const std::string& socket, std::chrono::milliseconds timeout);

  using Plugins = plugin_supervisor::v1::Plugins;
  template <typename Request, typename Response>
  using Method = void (Plugins::Stub::async::*)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>);

  /// Calls one method of the service Plugins.
  template <typename Request, typename Response>
  Awaitable<supervisor::Outcome<Response>> call(Method<Request, Response> method,
                                                const Request& request, CallInFlight& in_flight);

  /// Asks the supervisor's standard health service, for at most two seconds.
  Awaitable<Readiness> readiness(CallInFlight& in_flight);

  [[nodiscard]] std::chrono::milliseconds timeout() const { return timeout_; }

 private:
  template <typename Start>
  static Awaitable<grpc::Status> completion(Start start);
  class Registered;

  std::chrono::milliseconds timeout_;
  std::shared_ptr<grpc::Channel> channel_;
  Plugins::Stub plugins_;
  grpc::GenericStub generic_;
};

// Names the context as the one in flight, for as long as it exists.
class SupervisorClient::Registered {
 public:
  Registered(CallInFlight& in_flight, grpc::ClientContext& context) : in_flight_(in_flight) {
    in_flight_.context_ = &context;
  }
  ~Registered() { in_flight_.context_ = nullptr; }
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;

 private:
  CallInFlight& in_flight_;
};

// Suspends until the callback that `start` hands to gRPC has run.
template <typename Start>
Awaitable<grpc::Status> SupervisorClient::completion(Start start) {
  const Executor executor = co_await asio::this_coro::executor;
  auto initiate = [&start, executor](auto handler) {
    using Handler = decltype(handler);
    // Keeps the io_context running: gRPC's threads are none of its work.
    using Work = decltype(asio::prefer(executor, asio::execution::outstanding_work.tracked));
    struct Waiting {
      std::recursive_mutex mutex;
      Handler handler;
      Work work;
    };
    auto* const waiting = new Waiting{
        {}, std::move(handler), asio::prefer(executor, asio::execution::outstanding_work.tracked)};
    // The lock orders what this thread writes while it starts the call before
    // what gRPC's thread reads; gRPC's own locks are not visible to a thread
    // sanitizer. Recursive, since gRPC may complete a call while starting it.
    const std::lock_guard starting(waiting->mutex);
    start([waiting](grpc::Status status) {
      std::unique_lock completing(waiting->mutex);
      asio::post(waiting->work, [waiting, status = std::move(status)]() mutable {
        { const std::lock_guard last(waiting->mutex); }
        Handler resume = std::move(waiting->handler);
        delete waiting;
        std::move(resume)(std::move(status));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>,
                                          void(grpc::Status)>(initiate,
                                                              asio::use_awaitable_t<Executor>());
}

template <typename Request, typename Response>
Awaitable<supervisor::Outcome<Response>> SupervisorClient::call(Method<Request, Response> method,
                                                                const Request& request,
                                                                CallInFlight& in_flight) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
  Response response;
  const Registered registered(in_flight, context);
  const grpc::Status status = co_await completion([&](std::function<void(grpc::Status)> done) {
    (plugins_.async()->*method)(&context, &request, &response, std::move(done));
  });
  if (!status.ok()) co_return supervisor::from_status(status);
  co_return std::move(response);
}

}  // namespace gateway
