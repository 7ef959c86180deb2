// The REST API over the supervisor's services. One object serves all
// connections of all threads; it keeps no state between requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api_gateway/gateway_meter.h"
#include "api_gateway/net.h"
#include "api_gateway/reply.h"
#include "api_gateway/request_head.h"
#include "api_gateway/router.h"
#include "api_gateway/supervisor_client.h"

namespace gateway {

/// Who asks, for the history: as the caller names itself.
std::string caller_name(const RequestHead& head);

/// Whether the value of the header Prefer asks for a run in the background.
bool wants_background(std::string_view prefer);

/// Where a request goes, or why it goes nowhere: known before its body is read.
struct Admission {
  Route route;
  std::optional<Reply> refusal;
  std::string_view actor = {};  // What the token is called; empty without one.
};

class Routes {
 public:
  /// Any of `tokens` opens the API; `metrics_open`: /metrics needs none. The
  /// others outlive this object.
  Routes(std::vector<std::string> tokens, bool metrics_open, SupervisorClient& supervisor,
         GatewayMeter& meter);

  [[nodiscard]] GatewayMeter& meter() const { return meter_; }

  [[nodiscard]] Admission admit(const RequestHead& head) const;

  /// Answers an admitted request. `head`, `route`, `body` and `in_flight` live
  /// until the answer is there. Cancelling `in_flight` makes it come at once.
  Awaitable<Reply> answer(const RequestHead& head, const Route& route, std::string_view body,
                          CallInFlight& in_flight) const;

  /// Whether nobody wants the work done once the client is gone.
  static bool abandons_on_hangup(Endpoint endpoint) {
    return endpoint == Endpoint::run || endpoint == Endpoint::resource ||
           endpoint == Endpoint::metrics || endpoint == Endpoint::job;
  }

 private:
  struct Token {
    std::string text;
    std::string name;
  };
  /// Nothing when the header names no token that is known.
  [[nodiscard]] const Token* token_of(std::string_view authorization) const;

  Awaitable<Reply> list(std::string_view host, CallInFlight& in_flight) const;
  Awaitable<Reply> reload(CallInFlight& in_flight) const;
  Awaitable<Reply> store_settings(const Route& route, std::string_view body,
                                  CallInFlight& in_flight) const;
  Awaitable<Reply> run(const RequestHead& head, const Route& route, std::string_view body,
                       CallInFlight& in_flight) const;
  Awaitable<Reply> resolve(const Route& route, std::string_view body,
                           CallInFlight& in_flight) const;
  Awaitable<Reply> enable(const RequestHead& head, const Route& route, std::string_view body,
                          CallInFlight& in_flight) const;
  Awaitable<Reply> logo(const Route& route, CallInFlight& in_flight) const;
  Awaitable<Reply> workers(CallInFlight& in_flight) const;
  Awaitable<Reply> worker(const Route& route, CallInFlight& in_flight) const;
  Awaitable<Reply> dump_stacks(const Route& route, CallInFlight& in_flight) const;
  Awaitable<Reply> permissions(const RequestHead& head, const Route& route, std::string_view body,
                               CallInFlight& in_flight) const;
  Awaitable<Reply> plugin_options(const RequestHead& head, const Route& route,
                                  std::string_view body, CallInFlight& in_flight) const;
  // In routes_logs.cpp.
  Awaitable<Reply> logs(const RequestHead& head, const Route& route, CallInFlight& in_flight) const;
  // In routes_audit.cpp.
  Awaitable<Reply> audit(const RequestHead& head, CallInFlight& in_flight) const;
  Awaitable<Reply> start_job(plugin_supervisor::v1::StartJobRequest request,
                             CallInFlight& in_flight) const;
  Awaitable<Reply> jobs(const RequestHead& head, CallInFlight& in_flight) const;
  Awaitable<Reply> job(const RequestHead& head, const Route& route, CallInFlight& in_flight) const;
  Awaitable<Reply> control(const RequestHead& head, const Route& route,
                           CallInFlight& in_flight) const;
  Awaitable<Reply> metrics(CallInFlight& in_flight) const;  // In routes_metrics.cpp.
  Awaitable<Reply> ready(CallInFlight& in_flight) const;

  std::vector<Token> tokens_;
  const bool metrics_open_;
  SupervisorClient& supervisor_;
  GatewayMeter& meter_;
};

}  // namespace gateway
