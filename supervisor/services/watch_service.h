// The Watch service: the event bus, to readers outside.
#pragma once

#include "plugin_supervisor/v1/watch_service.grpc.pb.h"
#include "supervisor/events/event_bus.h"

namespace supervisor::services {

class WatchService final : public v1::Watch::CallbackService {
 public:
  explicit WatchService(events::EventBus& bus) : bus_(bus) {}

  grpc::ServerWriteReactor<v1::WatchEvent>* Watch(grpc::CallbackServerContext*,
                                                  const v1::WatchRequest*) override;

 private:
  events::EventBus& bus_;
};

}  // namespace supervisor::services
