// The supervisor as the gateway sees it: one gRPC channel to it,
// shared by all threads. The channel connects again by itself; while the
// supervisor is away every call fails at once with SUPERVISOR_UNAVAILABLE.
//
// Calls are made from a connection's thread. One thread of this object waits
// for gRPC to complete them, and the coroutine goes on there, up to where it
// next waits for its socket: waking its own thread only to write the answer
// would cost the caller more time than writing it. (gRPC's callback interface
// has two threads contend for one queue, and a third hop: measured, and worse.)
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api_gateway/net.h"
#include "api_gateway/options.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "plugin_supervisor/v1/audit_service.grpc.pb.h"
#include "plugin_supervisor/v1/jobs_service.grpc.pb.h"
#include "plugin_supervisor/v1/metrics_service.grpc.pb.h"
#include "plugin_supervisor/v1/plugins_service.grpc.pb.h"
#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/sys/caller_metadata.h"
#include "supervisor/sys/failure.h"

namespace gateway {

/// The call that a connection waits for. Whoever else touches the connection
/// holds its lane's lock meanwhile; the lane's own coroutines need not, for a
/// connection that waits for a call does nothing else.
class CallInFlight {
 public:
  /// `lane` is held while a coroutine goes on after its call.
  explicit CallInFlight(std::mutex& lane) : lane_(lane) {}

  /// Who asks, from now on: see sys::caller_metadata. Empty = nobody says.
  void set_caller(std::string serialised) { caller_ = std::move(serialised); }

  /// Gives the call up; does nothing when there is none. Under the lane's lock.
  void cancel() {
    if (context_ != nullptr) context_->TryCancel();
  }

 private:
  friend class SupervisorClient;
  std::mutex& lane_;
  grpc::ClientContext* context_ = nullptr;
  std::string caller_;
};

enum class Readiness { ready, supervisor_away, database_away };

class SupervisorClient {
 public:
  /// The supervisor need not run yet. `tls` for one that is called over TCP.
  SupervisorClient(const Options& options, const supervisor::rpc::TlsTexts* tls);

  /// No call may be in flight any more. The contexts that calls were made on
  /// must still exist.
  ~SupervisorClient();
  SupervisorClient(const SupervisorClient&) = delete;
  SupervisorClient& operator=(const SupervisorClient&) = delete;

  using Plugins = plugin_supervisor::v1::Plugins;
  using Workers = plugin_supervisor::v1::Workers;
  using Jobs = plugin_supervisor::v1::Jobs;
  template <typename Stub, typename Request, typename Response>
  using Method = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> (Stub::*)(
      grpc::ClientContext*, const Request&, grpc::CompletionQueue*);

  /// Calls one method of the service Plugins, Workers, Jobs or Audit.
  template <typename Stub, typename Request, typename Response>
  Awaitable<supervisor::Outcome<Response>> call(Method<Stub, Request, Response> method,
                                                const Request& request, CallInFlight& in_flight);

  /// The last lines of a plugin's log. `request` must not follow.
  Awaitable<supervisor::Outcome<std::vector<plugin_supervisor::v1::LogLine>>> logs(
      const plugin_supervisor::v1::LogsRequest& request, CallInFlight& in_flight);

  /// The supervisor's metrics, within five seconds.
  Awaitable<supervisor::Outcome<plugin_supervisor::v1::CollectMetricsResponse>> metrics(
      CallInFlight& in_flight);

  /// Asks the supervisor's standard health service, for at most two seconds.
  Awaitable<Readiness> readiness(CallInFlight& in_flight);

  [[nodiscard]] std::chrono::milliseconds timeout() const { return timeout_; }

 private:
  class Registered;
  // What a tag of the queue points to. Completed on the queue's thread.
  class Waiting {
   public:
    virtual void complete(bool ok) = 0;

   protected:
    ~Waiting() = default;
  };
  template <typename Handler>
  class Suspended;
  template <typename Start>
  Awaitable<bool> completion(CallInFlight& in_flight, Start start);
  void complete_calls();

  std::chrono::milliseconds timeout_;
  std::shared_ptr<grpc::Channel> channel_;
  Plugins::Stub plugins_;
  Workers::Stub workers_;
  plugin_supervisor::v1::Metrics::Stub metrics_;
  Jobs::Stub jobs_;
  plugin_supervisor::v1::Audit::Stub audit_;
  grpc::health::v1::Health::Stub health_;
  grpc::CompletionQueue queue_;
  // Passed by a tag on its way into the queue and out of it. It orders what one
  // thread writes before what the other reads; the queue does so as well, but
  // not so that a thread sanitizer could see it.
  std::mutex tags_;
  std::thread completing_;
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

// A coroutine that waits for the end of a call.
template <typename Handler>
class SupervisorClient::Suspended final : public Waiting {
 public:
  Suspended(Handler handler, const Executor& executor, std::mutex& lane)
      : handler_(std::move(handler)),
        work_(asio::prefer(executor, asio::execution::outstanding_work.tracked)),
        lane_(lane) {}

  // Held by the starting thread while it starts the call, so that the call does
  // not end before it has begun.
  std::mutex& starting() { return starting_; }

  void complete(bool ok) override {
    { const std::lock_guard started(starting_); }
    const std::unique_ptr<Suspended> ends_here(this);
    const std::lock_guard with_lane(lane_);
    std::move(handler_)(ok);
  }

 private:
  std::mutex starting_;
  Handler handler_;
  // Keeps the io_context running: the queue's thread is none of its work.
  decltype(asio::prefer(std::declval<const Executor&>(),
                        asio::execution::outstanding_work.tracked)) work_;
  std::mutex& lane_;
};

// Suspends until the queue gives back the tag that `start` hands to gRPC. False
// when a stream has ended.
template <typename Start>
Awaitable<bool> SupervisorClient::completion(CallInFlight& in_flight, Start start) {
  const Executor executor = co_await asio::this_coro::executor;
  auto initiate = [this, &start, &executor, &in_flight](auto handler) {
    auto* const suspended =
        new Suspended<decltype(handler)>(std::move(handler), executor, in_flight.lane_);
    { const std::lock_guard published(tags_); }
    const std::lock_guard starting(suspended->starting());
    start(static_cast<Waiting*>(suspended));
  };
  using Token = asio::use_awaitable_t<Executor>;
  co_return co_await asio::async_initiate<const Token, void(bool)>(initiate, Token());
}

template <typename Stub, typename Request, typename Response>
Awaitable<supervisor::Outcome<Response>> SupervisorClient::call(
    Method<Stub, Request, Response> method, const Request& request, CallInFlight& in_flight) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
  if (!in_flight.caller_.empty())
    context.AddMetadata(supervisor::sys::caller_metadata, in_flight.caller_);
  const Registered registered(in_flight, context);
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  Response response;
  grpc::Status status;
  co_await completion(in_flight, [&](Waiting* waiting) {
    if constexpr (std::is_same_v<Stub, Workers::Stub>) {
      reader = (workers_.*method)(&context, request, &queue_);
    } else if constexpr (std::is_same_v<Stub, Jobs::Stub>) {
      reader = (jobs_.*method)(&context, request, &queue_);
    } else if constexpr (std::is_same_v<Stub, plugin_supervisor::v1::Audit::Stub>) {
      reader = (audit_.*method)(&context, request, &queue_);
    } else {
      reader = (plugins_.*method)(&context, request, &queue_);
    }
    reader->Finish(&response, &status, waiting);
  });
  if (!status.ok()) co_return supervisor::from_status(status);
  co_return std::move(response);
}

}  // namespace gateway
