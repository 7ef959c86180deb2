#include "api_gateway/caller.h"

#include <fmt/format.h>

#include "api_gateway/url.h"
#include "plugin_supervisor/v1/audit_service.pb.h"
#include "supervisor/sys/digest.h"
#include "supervisor/sys/utf8_prefix.h"

namespace gateway {
namespace {

// The supervisor cuts as well; but metadata has a bound of its own.
constexpr std::size_t max_text = 200;

std::string text(std::string_view raw) {
  const auto kept = supervisor::sys::utf8_prefix(raw, max_text);
  return is_utf8(kept) ? std::string(kept) : std::string();
}

}  // namespace

std::string token_name(std::string_view token) {
  const auto digest = supervisor::sys::sha256(token);
  std::string name = "token:";
  for (std::size_t i = 0; i < 4; ++i)
    name += fmt::format("{:02x}", static_cast<unsigned char>(digest[i]));
  return name;
}

std::string serialised_caller(const RequestHead& head, std::string_view actor,
                              std::string_view client) {
  plugin_supervisor::v1::Caller caller;
  caller.set_origin("gateway");
  caller.set_actor(actor.data(), actor.size());
  caller.set_client(client.data(), client.size());
  if (!head.requested_by.empty()) caller.set_on_behalf_of(text(head.requested_by));
  if (!head.request_id.empty()) caller.set_request_id(text(head.request_id));
  return caller.SerializeAsString();
}

}  // namespace gateway
