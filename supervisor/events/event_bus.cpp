#include "supervisor/events/event_bus.h"

#include "supervisor/sys/unix_time.h"

namespace supervisor::events {

void EventBus::publish(v1::WatchEvent event) {
  event.set_time_unix_ms(sys::unix_ms());
  const std::lock_guard lock(mutex_);
  event.set_sequence(++sequence_);
  for (const auto& [id, watcher] : watchers_) watcher(event);
}

EventBus::WatcherId EventBus::watch(Watcher watcher) {
  const std::lock_guard lock(mutex_);
  watchers_.emplace(next_watcher_, std::move(watcher));
  return next_watcher_++;
}

void EventBus::unwatch(WatcherId id) {
  const std::lock_guard lock(mutex_);
  watchers_.erase(id);
}

}  // namespace supervisor::events
