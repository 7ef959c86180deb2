#include "supervisor/host/host_caller.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "supervisor/host/host_calls.h"
#include "supervisor/host/host_request.h"

namespace supervisor::host {

namespace asio = boost::asio;

HostCaller::HostCaller(HostCalls& host, asio::any_io_executor core, std::string plugin,
                       Answer answer)
    : host_(host), core_(std::move(core)), plugin_(std::move(plugin)), answer_(std::move(answer)) {}

// Looks through the JSON on the link's thread: the core has no time for it.
Outcome<void> HostCaller::admit(const v1::HostCall& call) {
  if (waiting_ >= max_waiting || waiting_bytes_ + call.params_json().size() > max_waiting_bytes)
    return make_failure(v1::REASON_QUEUE_FULL, "host call",
                        "Plugin '" + plugin_ + "' has too much waiting for the host already.",
                        "Ask again when some of it has been answered.", plugin_);
  return check_params(call.params_json(), max_params_bytes);
}

void HostCaller::take(v1::HostCall call) {
  if (auto admitted = admit(call); admitted.has_error()) {
    if (refusals_ >= max_waiting) return;
    ++refusals_;
    asio::post(core_,
               [self = shared_from_this(), id = call.call_id(), why = admitted.error()]() mutable {
                 --self->refusals_;
                 self->reply(id, std::move(why));
               });
    return;
  }
  ++waiting_;
  waiting_bytes_ += call.params_json().size();
  asio::post(core_, [self = shared_from_this(), call = std::move(call)]() mutable {
    self->calls_.push_back(std::move(call));
    if (std::exchange(self->serving_, true)) return;
    asio::co_spawn(
        self->core_, [self] { return self->serve(); }, asio::detached);
  });
}

void HostCaller::reply(std::uint64_t call_id, Outcome<std::string> outcome) {
  v1::HostAnswer answer;
  answer.set_call_id(call_id);
  if (outcome.has_error()) {
    *answer.mutable_failure() = outcome.error();
    answer.mutable_failure()->set_plugin(plugin_);
  } else {
    answer.set_result_json(std::move(outcome.value()));
  }
  answer_(std::move(answer));
}

asio::awaitable<void> HostCaller::serve() {
  while (!calls_.empty()) {
    auto call = std::move(calls_.front());
    calls_.pop_front();
    const auto bytes = call.params_json().size();
    Outcome<std::string> outcome = std::string();
    try {
      auto answering = host_.answer(plugin_, call.method(), std::move(*call.mutable_params_json()));
      outcome = co_await std::move(answering);
    } catch (const std::exception& broken) {
      outcome = make_failure(v1::REASON_INTERNAL, "host call", broken.what());
    }
    --waiting_;
    waiting_bytes_ -= bytes;
    reply(call.call_id(), std::move(outcome));
  }
  serving_ = false;
}

}  // namespace supervisor::host
