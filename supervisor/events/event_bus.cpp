#include "supervisor/events/event_bus.h"

#include <chrono>

namespace supervisor::events {

void EventBus::publish(v1::WatchEvent event) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  event.set_time_unix_ms(
      duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count());
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
