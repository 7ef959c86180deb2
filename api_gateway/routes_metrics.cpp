// GET /metrics: the supervisor's metrics and the gateway's own, in one text.
#include "api_gateway/gateway_meter.h"
#include "api_gateway/routes.h"

namespace gateway {

Awaitable<Reply> Routes::metrics(CallInFlight& in_flight) const {
  const auto collected = co_await supervisor_.metrics(in_flight);
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  // A scraper must see that the supervisor is away, not an error.
  if (collected.has_value()) reply.body = collected->text();
  reply.body += meter_.text(collected.has_value());
  co_return reply;
}

}  // namespace gateway
