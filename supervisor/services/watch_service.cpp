#include "supervisor/services/watch_service.h"

#include "supervisor/services/line_stream.h"

namespace supervisor::services {

grpc::ServerWriteReactor<v1::WatchEvent>* WatchService::Watch(grpc::CallbackServerContext*,
                                                              const v1::WatchRequest*) {
  constexpr std::size_t max_queued_events = 10000;
  auto* stream = new LineStream<v1::WatchEvent>(max_queued_events);  // Deletes itself.
  const auto id = std::make_shared<events::EventBus::WatcherId>();
  stream->on_over = [&bus = bus_, id] { bus.unwatch(*id); };
  *id = bus_.watch([stream](const v1::WatchEvent& event) { stream->push(event); });
  return stream;
}

}  // namespace supervisor::services
