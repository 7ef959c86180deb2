#include "worker_shim/native/quiet_engine.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <thread>

#include "worker_shim/native/signal_mask.h"

namespace plugin_worker {

using namespace grpc_event_engine::experimental;

namespace {

thread_local bool is_engine_thread = false;

// Of time_point::max() and clocks that run on.
constexpr std::chrono::hours longest_wait{24 * 365};

}  // namespace

QuietEngine::QuietEngine() : tasks_(std::make_shared<Tasks>()) {}

QuietEngine::~QuietEngine() {
  const std::lock_guard lock(tasks_->mutex);
  tasks_->over = true;
  tasks_->changed.notify_all();
}

void QuietEngine::Run(Closure* closure) { RunAfter(Duration::zero(), closure); }

void QuietEngine::Run(absl::AnyInvocable<void()> task) {
  RunAfter(Duration::zero(), std::move(task));
}

EventEngine::TaskHandle QuietEngine::RunAfter(Duration when, Closure* closure) {
  return RunAfter(when, [closure] { closure->Run(); });
}

EventEngine::TaskHandle QuietEngine::RunAfter(Duration when, absl::AnyInvocable<void()> task) {
  const auto due = Clock::now() + std::clamp<Duration>(when, Duration::zero(), longest_wait);
  const std::lock_guard lock(tasks_->mutex);
  const std::intptr_t number = ++tasks_->last;
  tasks_->waiting.emplace(Due{due, number}, std::move(task));
  if (!tasks_->begun) begin();
  tasks_->changed.notify_one();
  return {{static_cast<std::intptr_t>(due.time_since_epoch().count()), number}};
}

// With the lock held.
void QuietEngine::begin() {
  try {
    const SignalsBlocked blocked;
    std::thread thread([tasks = tasks_] { run(tasks); });
    ::pthread_setname_np(thread.native_handle(), "link-tasks");
    thread.detach();  // Ends with the process, by _exit.
    tasks_->begun = true;
  } catch (const std::system_error&) {
    // The plugin has used up all threads: the next task tries again.
  }
}

bool QuietEngine::Cancel(TaskHandle handle) {
  absl::AnyInvocable<void()> task;  // Destroyed without the lock.
  const Due due{Clock::time_point(Clock::duration(handle.keys[0])), handle.keys[1]};
  const std::lock_guard lock(tasks_->mutex);
  const auto found = tasks_->waiting.find(due);
  if (found == tasks_->waiting.end()) return false;
  task = std::move(found->second);
  tasks_->waiting.erase(found);
  return true;
}

void QuietEngine::run(const std::shared_ptr<Tasks>& tasks) {
  is_engine_thread = true;
  std::unique_lock lock(tasks->mutex);
  while (!tasks->over) {
    if (tasks->waiting.empty()) {
      tasks->changed.wait(lock);
      continue;
    }
    const auto first = tasks->waiting.begin();
    if (const auto due = first->first.first; Clock::now() < due) {
      tasks->changed.wait_until(lock, due);
      continue;
    }
    auto task = std::move(first->second);
    tasks->waiting.erase(first);
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

bool QuietEngine::IsWorkerThread() { return is_engine_thread; }

absl::StatusOr<std::unique_ptr<EventEngine::Listener>> QuietEngine::CreateListener(
    Listener::AcceptCallback, absl::AnyInvocable<void(absl::Status)>, const EndpointConfig&,
    std::unique_ptr<MemoryAllocatorFactory>) {
  return absl::UnimplementedError("a worker listens nowhere");
}

EventEngine::ConnectionHandle QuietEngine::Connect(OnConnectCallback on_connect,
                                                   const ResolvedAddress&, const EndpointConfig&,
                                                   MemoryAllocator, Duration) {
  Run([on_connect = std::move(on_connect)]() mutable {
    on_connect(absl::UnimplementedError("a worker makes its connection itself"));
  });
  return {{0, 0}};
}

bool QuietEngine::CancelConnect(ConnectionHandle) { return false; }

std::unique_ptr<EventEngine::DNSResolver> QuietEngine::GetDNSResolver(
    const DNSResolver::ResolverOptions&) {
  return nullptr;
}

}  // namespace plugin_worker
