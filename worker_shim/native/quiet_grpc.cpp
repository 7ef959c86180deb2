#include "worker_shim/native/quiet_grpc.h"

#include <grpc/grpc.h>

#include <memory>
#include <mutex>

#include "worker_shim/native/quiet_engine.h"

// Internal to gRPC, and what its own support for fork() uses; weak, because
// another version may be without.
__attribute__((weak)) void grpc_timer_manager_set_threading(bool enabled);

namespace grpc_core {
class Executor {
 public:
  [[gnu::weak]] static void SetThreadingAll(bool enable);
};
}  // namespace grpc_core

namespace plugin_worker {

void quiet_grpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc_event_engine::experimental::SetEventEngineFactory(
        [] { return std::make_unique<QuietEngine>(); });
    // Never shut down: a link that is made anew must not bring the threads back.
    grpc_init();
    if (grpc_timer_manager_set_threading != nullptr) grpc_timer_manager_set_threading(false);
    // What they would do is done by whoever asks for it. Also: a sandbox is made
    // while there is one thread, and a spare has used gRPC before.
    if (&grpc_core::Executor::SetThreadingAll != nullptr)
      grpc_core::Executor::SetThreadingAll(false);
  });
}

}  // namespace plugin_worker
