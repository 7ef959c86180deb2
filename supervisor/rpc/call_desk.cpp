#include "supervisor/rpc/call_desk.h"

#include <pthread.h>

#include "supervisor/rpc/eager_wait.h"

namespace supervisor::rpc {

void CallDesk::start() {
  if (is_down_ || thread_.joinable()) return;
  thread_ = std::thread([this] { serve(); });
  ::pthread_setname_np(thread_.native_handle(), "api-calls");
}

CallDesk::~CallDesk() { shut_down(); }

void CallDesk::serve() {
  EagerWait wait(*queue_);
  void* tag = nullptr;
  bool ok = false;
  while (wait.next(&tag, &ok)) static_cast<Completion*>(tag)->done(ok);
}

void CallDesk::shut_down() {
  if (is_down_) return;
  // What was asked for must be given back even if nothing was ever served.
  start();
  is_down_ = true;
  // No operation may begin on a queue that is shut down.
  live_.wait_until_none();
  queue_->Shutdown();
  thread_.join();
}

}  // namespace supervisor::rpc
