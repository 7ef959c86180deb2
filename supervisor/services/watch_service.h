// The Watch service: the event bus, to readers outside.
#pragma once

#include "plugin_supervisor/v1/watch_service.grpc.pb.h"
#include "supervisor/events/event_bus.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

class WatchService {
 public:
  explicit WatchService(events::EventBus& bus) : bus_(bus) {}

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  v1::Watch::AsyncService service_;
  events::EventBus& bus_;
};

}  // namespace supervisor::services
