#include "supervisor/services/watch_service.h"

namespace supervisor::services {

void WatchService::open(rpc::CallDesk& desk) {
  desk.stream(service_, &decltype(service_)::RequestWatch, [this](const auto& call) {
    const auto id = bus_.watch([call](const v1::WatchEvent& event) { call->push(event); });
    call->when_over([this, id] { bus_.unwatch(id); });
  });
}

}  // namespace supervisor::services
