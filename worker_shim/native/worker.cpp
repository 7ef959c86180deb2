#include "worker_shim/native/worker.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "worker_shim/native/sandbox_outcome.h"

namespace plugin_worker {
namespace {

template <typename Body>
void start_thread(const char* name, Body body) {
  std::thread thread(std::move(body));
  ::pthread_setname_np(thread.native_handle(), name);
  thread.detach();  // Ends with the process, by _exit.
}

/// False when there are too many already: a plugin may have used them up.
template <typename Body>
bool try_start_thread(const char* name, Body body) {
  try {
    start_thread(name, std::move(body));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

}  // namespace

Worker::Worker(const Launch& launch, PluginPort& port)
    : signal_mask_(current_signal_mask()),
      launch_(launch),
      port_(port),
      outbox_([this](const v1::WorkerBatch& batch, bool last) { stream_->write(batch, last); }),
      calls_([this] {
        return start_plugin_thread("plugin-pool", [this] { port_.run_pool_thread(); });
      }),
      progress_(outbox_,
                [](std::function<void()> body) {
                  const SignalsBlocked blocked;
                  return try_start_thread("link-progress", std::move(body));
                }),
      probe_(outbox_, {.visit = [this] { port_.run_with_interpreter([] {}); },
                       .calls = [this] { return static_cast<std::uint32_t>(open_calls_.count()); },
                       .start_thread =
                           [](std::function<void()> body) {
                             const SignalsBlocked blocked;
                             return try_start_thread("link-probe", std::move(body));
                           }}),
      stream_(std::make_unique<LinkStream>(launch.socket_path,
                                           [this](bool ok) { outbox_.written(ok); })),
      stream_fd_(stream_->fd()) {
  outbox_.put(hello());
  outbox_.flush_here();
  const SignalsBlocked blocked;
  start_thread("link-write", [this] { outbox_.write_until_closed(); });
  start_thread("link-read", [this] { read(); });
}

v1::WorkerFrame Worker::hello() const {
  v1::WorkerFrame frame;
  auto& hello = *frame.mutable_hello();
  hello.set_protocol_version(1);
  hello.set_plugin(launch_.plugin);
  hello.set_generation(launch_.generation);
  hello.set_token(launch_.token);
  hello.set_pid(::getpid());
  hello.set_python_version(launch_.python_version);
  *hello.mutable_sandbox() = sandbox_outcome();
  return frame;
}

bool Worker::start_plugin_thread(const char* name, std::function<void()> body) {
  return try_start_thread(name, [this, body = std::move(body)] {
    ::pthread_sigmask(SIG_SETMASK, &signal_mask_, nullptr);
    body();
  });
}

std::optional<v1::Load> Worker::wait_for_load(std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, deadline, [this] { return load_ || ended_; });
  return std::exchange(load_, std::nullopt);
}

std::string Worker::why_ended() {
  const std::lock_guard lock(mutex_);
  return ended_.value_or("the supervisor did not say in time what to load");
}

void Worker::wait_for_job() {
  if (calls_.has_job_for_main()) return;
  while (turn_.take_for_main()) {
    if (stream_->poll(main_polls_for) != LinkStream::Heard::batch) {
      turn_.hand_to_reader();  // It also sees the end of the stream again.
      return;
    }
    const auto brought = hear(stream_->heard());
    if (brought.calls > 1) {
      // Several at once: reading on beside the work pays for the other thread.
      turn_.hand_to_reader();
    } else {
      turn_.pause_for_work();
    }
    if (calls_.has_job_for_main()) return;
  }
  calls_.wait_for_main();
}

void Worker::read() {
  LinkStream::End end;
  for (;;) {
    turn_.wait_for_reader();
    if (stream_->poll(std::chrono::milliseconds(-1)) == LinkStream::Heard::batch) {
      const auto brought = hear(stream_->heard());
      if (brought.woke_main && brought.calls == 1) turn_.resign_to_main();
      continue;
    }
    end = stream_->why_ended();
    host_calls_.lose_all();
    if (end.deliberate || !attach_again()) break;
  }
  // The link is gone: what remains is the pipe.
  if (!calls_.is_stopping())
    ::dprintf(STDERR_FILENO, "plugin worker: ends for want of a supervisor (%s)\n",
              end.why.c_str());
  outbox_.close();
  {
    const std::lock_guard lock(mutex_);
    ended_ = std::move(end.why);
    changed_.notify_all();
  }
  end_with_link();
}

// This thread has the turn to poll, so nobody else is inside of the stream once
// the outbox is held.
bool Worker::attach_again() {
  using Clock = std::chrono::steady_clock;
  const std::chrono::milliseconds window(reattach_window_ms_.load());
  if (window.count() == 0) return false;
  if (!lost_since_) lost_since_ = Clock::now();
  outbox_.hold();
  {
    const std::lock_guard lock(stream_mutex_);
    stream_.reset();
    stream_fd_ = -1;
  }
  if (++unwelcomed_ > max_unwelcomed) return false;
  if (unwelcomed_ > 1) std::this_thread::sleep_for(reattach_long_pause);
  while (Clock::now() - *lost_since_ < window && !launch_is_over()) {
    try {
      auto stream = std::make_unique<LinkStream>(launch_.socket_path,
                                                 [this](bool ok) { outbox_.written(ok); });
      const std::lock_guard lock(stream_mutex_);
      stream_ = std::move(stream);
      stream_fd_ = stream_->fd();
    } catch (const std::system_error&) {
      // Nobody listens yet.
      const bool early = Clock::now() - *lost_since_ < std::chrono::seconds(2);
      std::this_thread::sleep_for(early ? reattach_pause : reattach_long_pause);
      continue;
    }
    v1::WorkerBatch first;
    auto& said = *first.add_frames();
    said = hello();
    {
      const std::lock_guard lock(mutex_);
      if (told_.has_loaded()) {
        auto& resumed = *said.mutable_hello()->mutable_resumed();
        *resumed.mutable_loaded() = told_.loaded();
        owed_.tell(resumed);
        resumed.set_stopping(calls_.is_stopping());
      } else if (told_.has_load_failed()) {
        *first.add_frames() = told_;
      }
    }
    for (auto& result : owed_.kept()) *first.add_frames() = std::move(result);
    outbox_.resume(std::move(first));
    return true;
  }
  return false;
}

// The supervisor removes the directory of a launch that it has given up.
bool Worker::launch_is_over() const {
  // By a pipe that is there as long as the launch is: in a root of its own the
  // directory stays, though it has been removed.
  const auto directory = launch_.socket_path.substr(0, launch_.socket_path.rfind('/'));
  return ::access((directory + "/out").c_str(), F_OK) != 0 && errno == ENOENT;
}

void Worker::end_with_link() {
  switch (calls_.stop("shutdown")) {
    case CallQueue::StopPlace::new_thread:
      if (!start_plugin_thread("plugin-stop", [this] { stop_and_exit("shutdown"); })) break;
      [[fallthrough]];
    case CallQueue::StopPlace::main_thread:
    case CallQueue::StopPlace::stopping_already:
      // Whoever runs the plugin's stop() ends the process.
      std::this_thread::sleep_for(orphan_budget);
      break;
    case CallQueue::StopPlace::not_serving:
      // Time for the main thread to say why it could not attach.
      std::this_thread::sleep_for(std::chrono::seconds(1));
      break;
  }
  ::_exit(exit_link_lost);
}

Worker::Brought Worker::hear(v1::SupervisorBatch& batch) {
  Brought brought;
  for (auto& frame : *batch.mutable_frames()) hear(frame, brought);
  return brought;
}

void Worker::hear(v1::SupervisorFrame& frame, Brought& brought) {
  switch (frame.frame_case()) {
    case v1::SupervisorFrame::kWelcome:
      max_result_bytes_ = frame.welcome().max_result_bytes();
      calls_.set_pool_threads(frame.welcome().pool_threads());
      cancel_grace_ms_ = frame.welcome().cancel_grace_ms();
      reattach_window_ms_ = frame.welcome().reattach_window_ms();
      lost_since_.reset();
      unwelcomed_ = 0;
      return;
    case v1::SupervisorFrame::kLoad: {
      const std::lock_guard lock(mutex_);
      load_ = std::move(*frame.mutable_load());
      changed_.notify_all();
      return;
    }
    case v1::SupervisorFrame::kInvoke:
      owed_.add(frame.invoke());
      open_calls_.begin();
      switch (calls_.push(std::move(*frame.mutable_invoke()))) {
        case CallQueue::Pushed::refused:
          refuse(frame.invoke().call_id(), v1::REASON_STOPPING, "is being stopped");
          return;
        case CallQueue::Pushed::woke_main:
          brought.woke_main = true;
          [[fallthrough]];
        case CallQueue::Pushed::queued:
          ++brought.calls;
          return;
      }
      return;
    case v1::SupervisorFrame::kSettings:
      calls_.change_settings(std::move(*frame.mutable_settings()->mutable_settings_json()));
      return;
    case v1::SupervisorFrame::kCancel:
      hear_cancel(frame.cancel().call_id());
      return;
    case v1::SupervisorFrame::kDumpStacks:
      hear_dump_stacks();
      return;
    case v1::SupervisorFrame::kPing:
      probe_.ping(frame.ping().nonce());
      return;
    case v1::SupervisorFrame::kResultSafe:
      owed_.safe(frame.result_safe().job_id());
      return;
    case v1::SupervisorFrame::kHostAnswer:
      host_calls_.take(std::move(*frame.mutable_host_answer()));
      return;
    case v1::SupervisorFrame::kStop:
      hear_stop(frame.stop());
      return;
    case v1::SupervisorFrame::FRAME_NOT_SET:  // A frame of a later version.
      return;
  }
}

void Worker::refuse(std::uint64_t call_id, v1::Reason reason, const std::string& why) {
  v1::WorkerFrame frame;
  frame.mutable_result()->set_call_id(call_id);
  auto& failure = *frame.mutable_result()->mutable_failure();
  failure.set_reason(reason);
  failure.set_step("run");
  failure.set_plugin(plugin());
  failure.set_message("Plugin \"" + plugin() + "\" " + why + ".");
  answer(std::move(frame));
  outbox_.flush_soon();
}

void Worker::answer(v1::WorkerFrame&& frame) {
  owed_.answered(frame.result());
  outbox_.put(std::move(frame));
  open_calls_.end();
}

void Worker::tell_loaded(v1::WorkerFrame&& frame) {
  {
    const std::lock_guard lock(mutex_);
    if (frame.has_metadata_changed()) {
      // Without the times of the load, which were told.
      auto& loaded = *told_.mutable_loaded();
      *loaded.mutable_metadata() = frame.metadata_changed().metadata();
      *loaded.mutable_warnings() = frame.metadata_changed().warnings();
    } else {
      told_ = frame;
    }
  }
  outbox_.put(std::move(frame));
  outbox_.flush_here();
}

void Worker::hear_cancel(std::uint64_t call_id) {
  if (calls_.forget(call_id)) {
    refuse(call_id, v1::REASON_CANCELLED, "had not begun the call");
  } else if (running_.cancel(call_id)) {
    interrupt_after_grace(call_id);
  }
}

// Without a thread for it the call is only told, and may have to be ended with
// the worker.
void Worker::interrupt_after_grace(std::uint64_t call_id) {
  start_plugin_thread("plugin-cancel", [this, call_id] {
    port_.interrupt(call_id, std::chrono::milliseconds(cancel_grace_ms_.load()));
  });
}

void Worker::hear_dump_stacks() {
  const auto tell = [this](std::string text) {
    v1::WorkerFrame frame;
    frame.mutable_stacks()->set_text(std::move(text));
    outbox_.put(std::move(frame));
    outbox_.flush_soon();
  };
  if (!start_plugin_thread("plugin-stacks", [this, tell] { tell(dump_stacks()); }))
    tell(stacks_.take());
}

// With the GIL no frame changes while it is read. Without, only a thread that
// holds the GIL in C code is to be feared, and such a thread changes no frame
// either; threads that run Python code would have let the GIL go.
std::string Worker::dump_stacks() {
  struct Attempt {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    bool given_up = false;
    std::string text;
  };
  if (!stacks_wait_for_interpreter_.exchange(true)) {
    const auto attempt = std::make_shared<Attempt>();
    const bool asked = start_plugin_thread("plugin-stacks", [this, attempt] {
      port_.run_with_interpreter([&] {
        const std::lock_guard lock(attempt->mutex);
        if (attempt->given_up) return;
        attempt->text = stacks_.take();
        attempt->done = true;
        attempt->changed.notify_all();
      });
      stacks_wait_for_interpreter_ = false;
    });
    if (!asked) {
      stacks_wait_for_interpreter_ = false;
      return stacks_.take();
    }
    std::unique_lock lock(attempt->mutex);
    attempt->changed.wait_for(lock, interpreter_patience, [&] { return attempt->done; });
    if (attempt->done) return attempt->text;
    attempt->given_up = true;
  }
  return stacks_.take();
}

// Calls that wait are refused at once; those that run may finish, in a thread
// of its own because whoever hears must go on hearing.
void Worker::hear_stop(const v1::Stop& stop) {
  const std::chrono::milliseconds budget(stop.budget_ms());
  {
    const std::lock_guard lock(mutex_);
    if (stop_by_ != std::chrono::steady_clock::time_point{}) return;
    // A little is kept for what is to be said at the end.
    stop_by_ = std::chrono::steady_clock::now() + budget * 9 / 10;
  }
  for (const auto& invoke : calls_.refuse_more())
    refuse(invoke.call_id(), v1::REASON_STOPPING, "is being stopped");
  const auto reason = stop.reason();
  const bool waits =
      open_calls_.count() > 0 && start_plugin_thread("plugin-stop", [this, reason, budget] {
        let_calls_finish(budget);
        run_stop(reason, true);
      });
  if (!waits) run_stop(reason, false);
}

void Worker::let_calls_finish(std::chrono::milliseconds budget) {
  const auto patience = std::min<std::chrono::milliseconds>(budget / finish_share, longest_finish);
  if (open_calls_.none_by(std::chrono::steady_clock::now() + patience)) return;
  for (const auto id : running_.cancel_all()) interrupt_after_grace(id);
}

/// `here`: this thread may run the plugin's code, and be used up by it.
void Worker::run_stop(const std::string& reason, bool here) {
  const auto place = calls_.stop(reason);
  if (place == CallQueue::StopPlace::new_thread) {
    if (here) stop_and_exit(reason);
    // A plugin that has used up all threads is not asked.
    if (!start_plugin_thread("plugin-stop", [this, reason] { stop_and_exit(reason); })) ::_exit(0);
  } else if (place == CallQueue::StopPlace::not_serving) {
    // Still importing, or not loaded at all: there is nothing to stop.
    if (!start_plugin_thread("plugin-stop", [this] { leave({}); })) ::_exit(0);
  }
}

void Worker::stop_and_exit(const std::string& reason) {
  // This thread will not poll again, and what is said from now on must leave.
  turn_.hand_to_reader();
  const auto stopped = port_.stop(reason);
  auto until = std::chrono::steady_clock::now() +
               std::chrono::milliseconds(cancel_grace_ms_.load()) + std::chrono::seconds(1);
  {
    const std::lock_guard lock(mutex_);
    until = std::min(until, stop_by_);
  }
  open_calls_.none_by(until);
  leave(stopped);
}

void Worker::leave(const v1::Stopped& stopped) {
  v1::WorkerFrame frame;
  *frame.mutable_stopped() = stopped;
  outbox_.put(std::move(frame));
  outbox_.drain(std::chrono::seconds(2));
  outbox_.close();
  // The supervisor answers the end of our side with the end of the stream, and
  // thereby has read what was said before it sees this process end.
  {
    const std::lock_guard stream(stream_mutex_);
    if (stream_) stream_->end_writing();
  }
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(1), [this] { return ended_.has_value(); });
  ::_exit(0);
}

void Worker::forget_after_fork() {
  forked_ = true;
  // Otherwise the child would keep the connection open after its parent.
  // Once: a child of the child may have another file by that number.
  const int stream = stream_fd_.exchange(-1);
  if (stream >= 0) ::close(stream);
}

}  // namespace plugin_worker
