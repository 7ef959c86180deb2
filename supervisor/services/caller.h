// Who calls, as the call itself says: see v1::Caller for why it is believed.
#pragma once

#include "plugin_supervisor/v1/audit_service.pb.h"
#include "supervisor/sys/caller_metadata.h"

namespace supervisor::services {

template <typename Call>
v1::Caller caller_of(const Call& call) {
  v1::Caller caller;
  const auto said = call.metadata(sys::caller_metadata);
  if (!caller.ParseFromArray(said.data(), static_cast<int>(said.size()))) caller.Clear();
  if (caller.origin().empty()) caller.set_origin("grpc");
  if (caller.actor().empty()) caller.set_actor("unknown");
  return caller;
}

}  // namespace supervisor::services
