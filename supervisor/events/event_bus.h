// What happens, to everyone who watches, in one order with rising numbers.
// One per supervisor. Thread-safe: state changes are published on the Asio
// thread, plugin events on gRPC threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "plugin_supervisor/v1/watch_service.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::events {

class EventBus {
 public:
  /// Called for each event, one at a time. Must only queue.
  using Watcher = std::function<void(const v1::WatchEvent&)>;
  using WatcherId = std::uint64_t;

  /// Numbers and dates the event, and hands it to every watcher.
  void publish(v1::WatchEvent event);

  WatcherId watch(Watcher watcher);
  /// After this returns, the watcher is not called again.
  void unwatch(WatcherId id);

 private:
  std::mutex mutex_;
  std::uint64_t sequence_ = 0;
  WatcherId next_watcher_ = 1;
  std::map<WatcherId, Watcher> watchers_;
};

}  // namespace supervisor::events
