#include "worker_shim/native/call_queue.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace plugin_worker {

CallQueue::CallQueue(std::function<bool()> start_pool_thread)
    : start_pool_thread_(std::move(start_pool_thread)) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  main_sleeps_ = ends[0];
  main_wakes_ = ends[1];
  ::fcntl(main_wakes_, F_SETFL, O_NONBLOCK);
}

CallQueue::~CallQueue() {
  ::close(main_sleeps_);
  ::close(main_wakes_);
}

void CallQueue::set_pool_threads(std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  pool_limit_ = count;
}

CallQueue::Pushed CallQueue::push(v1::Invoke&& invoke) {
  const std::lock_guard lock(mutex_);
  if (refusing_) return Pushed::refused;
  Job job;
  job.invoke = std::move(invoke);
  jobs_.push_back(std::move(job));
  if (main_parked_) {
    wake_main();
    return Pushed::woke_main;
  }
  if (main_busy_) wake_pool();
  return Pushed::queued;
}

bool CallQueue::forget(std::uint64_t call_id) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(jobs_, [&](const Job& job) {
           return job.what == Job::What::call && job.invoke.call_id() == call_id;
         }) > 0;
}

void CallQueue::change_settings(std::string settings_json) {
  const std::lock_guard lock(mutex_);
  settings_ = std::move(settings_json);
  settings_wait_ = true;
  if (refresh_queued_ || refusing_) return;
  refresh_queued_ = true;
  Job job;
  job.what = Job::What::refresh;
  jobs_.push_back(std::move(job));
  if (main_parked_) {
    wake_main();
  } else if (main_busy_) {
    wake_pool();
  }
}

std::vector<v1::Invoke> CallQueue::refuse_more() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
  std::vector<v1::Invoke> given_up;
  for (auto& job : jobs_) {
    if (job.what == Job::What::call) given_up.push_back(std::move(job.invoke));
  }
  jobs_.clear();
  return given_up;
}

CallQueue::StopPlace CallQueue::stop(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return StopPlace::stopping_already;
  refusing_ = true;
  stopping_ = true;
  jobs_.clear();
  if (!serving_) return StopPlace::not_serving;
  if (main_busy_) return StopPlace::new_thread;
  stop_on_main_ = reason;
  if (main_parked_) wake_main();
  return StopPlace::main_thread;
}

bool CallQueue::is_stopping() {
  const std::lock_guard lock(mutex_);
  return refusing_;
}

void CallQueue::serve() {
  const std::lock_guard lock(mutex_);
  serving_ = true;
}

bool CallQueue::has_job_for_main() {
  const std::lock_guard lock(mutex_);
  return !jobs_.empty() || stop_on_main_;
}

int CallQueue::park_main() {
  const std::lock_guard lock(mutex_);
  if (!jobs_.empty() || stop_on_main_) return -1;
  main_parked_ = true;
  return main_sleeps_;
}

void CallQueue::unpark_main() {
  char bytes[64];
  pollfd sleeps{main_sleeps_, POLLIN, 0};
  if (::poll(&sleeps, 1, 0) == 1) {
    [[maybe_unused]] const auto got = ::read(main_sleeps_, bytes, sizeof bytes);
  }
  // A byte written from here on only makes the next wait return early.
  const std::lock_guard lock(mutex_);
  main_parked_ = false;
}

void CallQueue::wait_for_main() {
  if (park_main() < 0) return;
  char bytes[64];
  // EINTR is as good as a byte: either way the caller looks around.
  [[maybe_unused]] const auto got = ::read(main_sleeps_, bytes, sizeof bytes);
  const std::lock_guard lock(mutex_);
  main_parked_ = false;
}

std::optional<Job> CallQueue::next_for_main() {
  const std::lock_guard lock(mutex_);
  Job job;
  if (stop_on_main_) {
    job.what = Job::What::stop;
    job.reason = *std::exchange(stop_on_main_, std::nullopt);
  } else if (!jobs_.empty()) {
    job = std::move(jobs_.front());
    jobs_.pop_front();
    if (job.what == Job::What::refresh) refresh_queued_ = false;
  } else {
    return std::nullopt;
  }
  main_busy_ = true;
  main_since_ = Clock::now();
  if (!jobs_.empty()) wake_pool();
  return job;
}

bool CallQueue::main_done() {
  const std::lock_guard lock(mutex_);
  main_busy_ = false;
  return !jobs_.empty();
}

void CallQueue::wake_main() {
  main_parked_ = false;
  const char byte = 0;
  // A full pipe wakes it as well.
  [[maybe_unused]] const auto put = ::write(main_wakes_, &byte, 1);
}

void CallQueue::wake_pool() {
  if (pool_watches_) return;
  if (pool_idle_ > 0) {
    pool_.notify_one();
  } else if (pool_size_ < pool_limit_) {
    // Without it the main thread, or another of the pool, runs what waits.
    if (!start_pool_thread_()) return;
    ++pool_size_;
    ++pool_idle_;
  }
}

Job CallQueue::next_for_pool() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (jobs_.empty() || !main_busy_ || pool_watches_) {
      pool_.wait(lock);
      continue;
    }
    const auto due = main_since_ + patience;
    if (Clock::now() < due) {
      pool_watches_ = true;
      pool_.wait_until(lock, due);
      pool_watches_ = false;
      continue;
    }
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    if (job.what == Job::What::refresh) refresh_queued_ = false;
    --pool_idle_;
    if (!jobs_.empty()) wake_pool();
    return job;
  }
}

void CallQueue::pool_done() {
  const std::lock_guard lock(mutex_);
  ++pool_idle_;
}

std::optional<std::string> CallQueue::take_settings() {
  if (!settings_wait_.load(std::memory_order_acquire)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  settings_wait_ = false;
  return std::exchange(settings_, std::nullopt);
}

}  // namespace plugin_worker
