#include "worker_shim/native/worker.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

namespace plugin_worker {
namespace {

/// While this lives, threads that are started get no signals: Python's
/// handlers run on the main thread, whose waits a signal must interrupt.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(), path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket");
  int connected = 0;
  do {
    connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (connected != 0 && errno == EINTR);
  if (connected != 0) {
    const int error = errno;
    ::close(fd);
    throw std::system_error(error, std::generic_category(), "connect " + path);
  }
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

template <typename Body>
void start_thread(const char* name, Body body) {
  std::thread thread(std::move(body));
  ::pthread_setname_np(thread.native_handle(), name);
  thread.detach();  // Ends with the process, by _exit.
}

}  // namespace

Worker::Worker(const Launch& launch, PluginPort& port)
    : plugin_(launch.plugin),
      generation_(launch.generation),
      port_(port),
      outbox_([this](const v1::WorkerBatch& batch, bool last) { return write(batch, last); }),
      calls_([this] { start_thread("plugin-pool", [this] { port_.run_pool_thread(); }); }) {
  fd_ = connect_to(launch.socket_path);
  const SignalsBlocked blocked;
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
  channel_ = grpc::CreateCustomInsecureChannelFromFd("worker-link", fd_, arguments);
  stub_ = v1::WorkerLink::NewStub(channel_);
  stream_ = stub_->Attach(&context_);

  v1::WorkerFrame frame;
  auto& hello = *frame.mutable_hello();
  hello.set_protocol_version(1);
  hello.set_plugin(launch.plugin);
  hello.set_generation(launch.generation);
  hello.set_token(launch.token);
  hello.set_pid(::getpid());
  hello.set_python_version(launch.python_version);
  outbox_.put(std::move(frame));
  outbox_.flush_here();
  start_thread("link-write", [this] { outbox_.write_until_closed(); });
  start_thread("link-read", [this] { read(); });
}

bool Worker::write(const v1::WorkerBatch& batch, bool last) {
  grpc::WriteOptions options;
  if (last) options.set_write_through();
  return stream_->Write(batch, options);
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

void Worker::read() {
  v1::SupervisorBatch batch;
  while (stream_->Read(&batch)) {
    for (auto& frame : *batch.mutable_frames()) hear(frame);
  }
  outbox_.close();
  const auto status = stream_->Finish();
  {
    const std::lock_guard lock(mutex_);
    ended_ = status.ok() ? "the supervisor ended the link" : status.error_message();
    changed_.notify_all();
  }
  end_with_link();
}

void Worker::end_with_link() {
  const auto stopping = calls_.stop("shutdown");
  switch (stopping.place) {
    case CallQueue::StopPlace::new_thread:
      start_thread("plugin-stop", [this] { stop_and_exit("shutdown"); });
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

void Worker::hear(v1::SupervisorFrame& frame) {
  switch (frame.frame_case()) {
    case v1::SupervisorFrame::kWelcome:
      max_result_bytes_ = frame.welcome().max_result_bytes();
      calls_.set_pool_threads(frame.welcome().pool_threads());
      return;
    case v1::SupervisorFrame::kLoad: {
      const std::lock_guard lock(mutex_);
      load_ = std::move(*frame.mutable_load());
      changed_.notify_all();
      return;
    }
    case v1::SupervisorFrame::kInvoke:
      if (!calls_.push(std::move(*frame.mutable_invoke()))) refuse(frame.invoke());
      return;
    case v1::SupervisorFrame::kSettings:
      calls_.change_settings(std::move(*frame.mutable_settings()->mutable_settings_json()));
      return;
    case v1::SupervisorFrame::kPing: {
      v1::WorkerFrame pong;
      pong.mutable_pong()->set_nonce(frame.ping().nonce());
      outbox_.put(std::move(pong));
      outbox_.flush_soon();
      return;
    }
    case v1::SupervisorFrame::kStop:
      hear_stop(frame.stop().reason());
      return;
    case v1::SupervisorFrame::FRAME_NOT_SET:  // A frame of a later version.
      return;
  }
}

void Worker::refuse(const v1::Invoke& invoke) {
  v1::WorkerFrame frame;
  frame.mutable_result()->set_call_id(invoke.call_id());
  auto& failure = *frame.mutable_result()->mutable_failure();
  failure.set_reason(v1::REASON_STOPPING);
  failure.set_step("run");
  failure.set_plugin(plugin_);
  failure.set_message("Plugin \"" + plugin_ + "\" is being stopped.");
  outbox_.put(std::move(frame));
  outbox_.flush_soon();
}

void Worker::hear_stop(const std::string& reason) {
  const auto stopping = calls_.stop(reason);
  for (const auto& invoke : stopping.given_up) refuse(invoke);
  if (stopping.place == CallQueue::StopPlace::new_thread) {
    start_thread("plugin-stop", [this, reason] { stop_and_exit(reason); });
  } else if (stopping.place == CallQueue::StopPlace::not_serving) {
    // Still importing, or not loaded at all: there is nothing to stop.
    start_thread("plugin-stop", [this] { leave({}); });
  }
}

void Worker::stop_and_exit(const std::string& reason) { leave(port_.stop(reason)); }

void Worker::leave(const v1::Stopped& stopped) {
  v1::WorkerFrame frame;
  *frame.mutable_stopped() = stopped;
  outbox_.put(std::move(frame));
  outbox_.drain(std::chrono::seconds(2));
  outbox_.close();
  // The supervisor answers the end of our side with the end of the stream, and
  // thereby has read what was said before it sees this process end.
  stream_->WritesDone();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(1), [this] { return ended_.has_value(); });
  ::_exit(0);
}

void Worker::forget_after_fork() {
  forked_ = true;
  // Otherwise the child would keep the connection open after its parent.
  ::close(fd_);
}

}  // namespace plugin_worker
