#include "supervisor/services/audit_service.h"

#include "supervisor/services/core_call.h"

namespace supervisor::services {

namespace asio = boost::asio;

void AuditService::open(rpc::CallDesk& desk) {
  desk.unary(service_, &decltype(service_)::RequestList, [this](const auto& call) {
    answer_on_core(core_, call, [this, wish = call->request()] { return list(wish); });
  });
}

asio::awaitable<Outcome<v1::ListAuditResponse>> AuditService::list(v1::ListAuditRequest wish) {
  store::AuditFilter filter;
  filter.plugin = wish.key();
  if (wish.action() != v1::AUDIT_ACTION_UNSPECIFIED)
    filter.action = audit::action_word(wish.action());
  filter.actor = wish.actor();
  filter.since_unix_ms = wish.since_unix_ms();
  filter.before_id = wish.before_id();
  filter.limit = wish.limit();
  auto listing = trail_.list(std::move(filter));
  auto listed = co_await std::move(listing);
  if (listed.has_error()) co_return listed.error();
  v1::ListAuditResponse response;
  for (auto& entry : listed.value()) *response.add_entries() = std::move(entry);
  co_return response;
}

}  // namespace supervisor::services
