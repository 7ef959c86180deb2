// What gRPC runs its tasks on in a worker: one thread, begun with the first
// task, asleep until the next is due. gRPC's own engine keeps several threads,
// and wakes up every second. Knows no network: the link's connection is made
// by us.
//
// Owned by gRPC; lives as long as the process. Thread-safe.
#pragma once

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace plugin_worker {

class QuietEngine final : public grpc_event_engine::experimental::EventEngine {
 public:
  QuietEngine();
  ~QuietEngine() override;

  void Run(Closure* closure) override;
  void Run(absl::AnyInvocable<void()> task) override;
  TaskHandle RunAfter(Duration when, Closure* closure) override;
  TaskHandle RunAfter(Duration when, absl::AnyInvocable<void()> task) override;
  bool Cancel(TaskHandle handle) override;
  bool IsWorkerThread() override;

  // What a worker has no use for.
  absl::StatusOr<std::unique_ptr<Listener>> CreateListener(
      Listener::AcceptCallback on_accept, absl::AnyInvocable<void(absl::Status)> on_shutdown,
      const grpc_event_engine::experimental::EndpointConfig& config,
      std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory> allocators) override;
  ConnectionHandle Connect(OnConnectCallback on_connect, const ResolvedAddress& address,
                           const grpc_event_engine::experimental::EndpointConfig& config,
                           grpc_event_engine::experimental::MemoryAllocator allocator,
                           Duration timeout) override;
  bool CancelConnect(ConnectionHandle handle) override;
  std::unique_ptr<DNSResolver> GetDNSResolver(const DNSResolver::ResolverOptions& options) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Due = std::pair<Clock::time_point, std::intptr_t>;  // When, and a number of its own.

  // The thread's; outlives the engine until the thread has seen the end.
  struct Tasks {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<Due, absl::AnyInvocable<void()>> waiting;
    std::intptr_t last = 0;
    bool begun = false;
    bool over = false;
  };
  void begin();
  static void run(const std::shared_ptr<Tasks>& tasks);

  const std::shared_ptr<Tasks> tasks_;
};

}  // namespace plugin_worker
