// One call with one answer: from the wait for it to the end of it.
//
// Owned by its operations under way and by whoever is to answer it, which must
// happen exactly once, on any thread.
#pragma once

#include <string_view>

#include "supervisor/rpc/method.h"
#include "supervisor/rpc/operation.h"
#include "supervisor/sys/failure.h"

namespace supervisor::rpc {

template <typename Request, typename Response>
class UnaryCall final : public std::enable_shared_from_this<UnaryCall<Request, Response>> {
 public:
  using Method = rpc::Method<UnaryCall, Request, grpc::ServerAsyncResponseWriter<Response>>;

  /// Waits for a call; when it comes, waits for the next again, until the
  /// server ends.
  static void await(const std::shared_ptr<const Method>& method) {
    const std::shared_ptr<UnaryCall> call(new UnaryCall(method));
    call->context_.AsyncNotifyWhenDone(call->over_.begin());
    method->ask(&call->context_, &call->request_, &call->writer_, call->opening_.begin());
  }
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  [[nodiscard]] Request& request() { return request_; }

  /// What the caller sent under `name` beside the request; empty when nothing.
  [[nodiscard]] std::string_view metadata(const char* name) const {
    const auto& all = context_.client_metadata();
    const auto found = all.find(name);
    if (found == all.end()) return {};
    return {found->second.data(), found->second.size()};
  }

  void answer(Outcome<Response> outcome) {
    if (outcome.has_value()) {
      writer_.Finish(outcome.value(), grpc::Status::OK, finishing_.begin());
    } else {
      refuse(to_status(outcome.error()));
    }
  }

  /// Answers with a status that is not one of our failures.
  void refuse(const grpc::Status& status) { writer_.FinishWithError(status, finishing_.begin()); }

  /// `react` is called when the caller hangs up before the answer; at once if
  /// that has happened. It may come late, when the call has been answered.
  void when_hung_up(std::function<void()> react) {
    {
      const std::lock_guard lock(mutex_);
      if (!is_hung_up_) {
        hung_up_ = std::move(react);
        return;
      }
    }
    react();
  }

 private:
  explicit UnaryCall(std::shared_ptr<const Method> method) : method_(std::move(method)) {}

  void opened(bool ok) {
    if (!ok) {
      over_.forget();  // gRPC tells this of calls that came only.
      return;          // The server ends.
    }
    await(method_);
    method_->handle(this->shared_from_this());
  }

  void over(bool) {
    const bool hung_up = context_.IsCancelled();
    std::function<void()> react;
    {
      const std::lock_guard lock(mutex_);
      is_hung_up_ = hung_up;
      react = std::exchange(hung_up_, nullptr);
    }
    if (hung_up && react) react();
  }

  void finished(bool) {}

  const std::shared_ptr<const Method> method_;
  const LiveCalls::One counted_{method_->live};
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  Operation<UnaryCall> opening_{*this, &UnaryCall::opened};
  Operation<UnaryCall> over_{*this, &UnaryCall::over};
  Operation<UnaryCall> finishing_{*this, &UnaryCall::finished};
  std::mutex mutex_;
  bool is_hung_up_ = false;
  std::function<void()> hung_up_;
};

}  // namespace supervisor::rpc
