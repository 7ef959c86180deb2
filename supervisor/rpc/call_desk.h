// Where the methods of a server are signed up: one completion queue, served by
// one thread. gRPC's callback API would take less code, but its threads wake
// each other for every event of every call: a lone call cost the supervisor
// three times what it costs here.
//
// Owned by the server. Methods are signed up after the server has been built;
// then it is started; shut_down() follows the server's own.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>

#include "supervisor/rpc/live_calls.h"
#include "supervisor/rpc/stream_call.h"
#include "supervisor/rpc/unary_call.h"

namespace supervisor::rpc {

class CallDesk {
 public:
  explicit CallDesk(std::unique_ptr<grpc::ServerCompletionQueue> queue)
      : queue_(std::move(queue)) {}
  CallDesk(const CallDesk&) = delete;
  CallDesk& operator=(const CallDesk&) = delete;
  ~CallDesk();

  /// `ask` is a Request method of the generated AsyncService; `handle` takes a
  /// shared_ptr of each UnaryCall, on the queue's thread. `waiting` calls are
  /// asked for ahead.
  template <typename Service, typename Base, typename Request, typename Response, typename Handle>
  void unary(Service& service,
             void (Base::*ask)(grpc::ServerContext*, Request*,
                               grpc::ServerAsyncResponseWriter<Response>*, grpc::CompletionQueue*,
                               grpc::ServerCompletionQueue*, void*),
             Handle handle, int waiting = 1) {
    sign_up<UnaryCall<Request, Response>>(service, ask, std::move(handle), waiting);
  }

  template <typename Service, typename Base, typename Request, typename Message, typename Handle>
  void stream(Service& service,
              void (Base::*ask)(grpc::ServerContext*, Request*, grpc::ServerAsyncWriter<Message>*,
                                grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
              Handle handle) {
    sign_up<StreamCall<Request, Message>>(service, ask, std::move(handle), 1);
  }

  /// Begins to serve. No method is signed up after this.
  void start();

  /// Returns when every call has ended, which they do once the server has shut
  /// down.
  void shut_down();

 private:
  template <typename Call, typename Service, typename Ask, typename Handle>
  void sign_up(Service& service, Ask ask, Handle handle, int waiting) {
    const auto method = std::make_shared<const typename Call::Method>(typename Call::Method{
        [this, &service, ask](auto* context, auto* request, auto* writer, void* tag) {
          (service.*ask)(context, request, writer, queue_.get(), queue_.get(), tag);
        },
        std::move(handle), live_});
    for (int i = 0; i < waiting; ++i) Call::await(method);
  }

  void serve();

  LiveCalls live_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
  bool is_down_ = false;
};

}  // namespace supervisor::rpc
