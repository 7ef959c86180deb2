#include "worker_shim/native/link_stream.h"

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "worker_shim/native/quiet_grpc.h"
#include "worker_shim/native/signal_mask.h"

namespace plugin_worker {
namespace {

// What a completion is of.
void* const started = reinterpret_cast<void*>(std::uintptr_t{1});
void* const read_done = reinterpret_cast<void*>(std::uintptr_t{2});
void* const write_done = reinterpret_cast<void*>(std::uintptr_t{3});
void* const writing_ended = reinterpret_cast<void*>(std::uintptr_t{4});
void* const finished = reinterpret_cast<void*>(std::uintptr_t{5});

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

}  // namespace

LinkStream::LinkStream(const std::string& socket_path, Written written)
    : LinkStream(connect_to(socket_path), std::move(written)) {}

LinkStream::LinkStream(int connection, Written written)
    : fd_(connection), written_(std::move(written)) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  // Unix sockets have no bandwidth to probe; the window is large at once.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
  const SignalsBlocked blocked;  // gRPC starts threads.
  quiet_grpc();
  channel_ = grpc::CreateCustomInsecureChannelFromFd("worker-link", fd_, arguments);
  stream_ = v1::WorkerLink::NewStub(channel_)->PrepareAsyncAttach(&context_, &queue_);
  stream_->StartCall(started);
  void* tag = nullptr;
  bool ok = false;
  queue_.Next(&tag, &ok);
}

LinkStream::Heard LinkStream::poll(std::chrono::milliseconds patience) {
  const auto until = patience.count() < 0
                         ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                         : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                        gpr_time_from_millis(patience.count(), GPR_TIMESPAN));
  if (!reading_ && !ended_) {
    // Only now: gRPC acknowledges a message when the next is asked for, and an
    // answer written before takes the acknowledgement along in its write.
    reading_ = true;
    stream_->Read(&heard_, read_done);
  }
  while (!ended_) {
    void* tag = nullptr;
    bool ok = false;
    switch (queue_.AsyncNext(&tag, &ok, until)) {
      case grpc::CompletionQueue::TIMEOUT:
        return Heard::nothing;
      case grpc::CompletionQueue::SHUTDOWN:
        ended_ = true;
        continue;
      case grpc::CompletionQueue::GOT_EVENT:
        break;
    }
    if (tag == write_done) {
      written_(ok);
    } else if (tag == read_done) {
      if (!ok) {
        ended_ = true;
        continue;
      }
      reading_ = false;
      return Heard::batch;
    }
  }
  return Heard::ended;
}

void LinkStream::write(const v1::WorkerBatch& batch, bool last) {
  grpc::WriteOptions options;
  if (last) options.set_write_through();
  stream_->Write(batch, options, write_done);
}

void LinkStream::end_writing() { stream_->WritesDone(writing_ended); }

LinkStream::~LinkStream() {
  context_.TryCancel();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

LinkStream::End LinkStream::why_ended() {
  grpc::Status status;
  stream_->Finish(&status, finished);
  void* tag = nullptr;
  bool ok = false;
  while (tag != finished && queue_.Next(&tag, &ok)) {
    if (tag == write_done) written_(ok);
  }
  if (status.ok()) return {"the supervisor ended the link", true};
  // What the supervisor itself says; anything else is gRPC's word for a
  // connection that broke.
  const bool deliberate = status.error_code() == grpc::StatusCode::CANCELLED ||
                          status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
                          status.error_code() == grpc::StatusCode::INVALID_ARGUMENT;
  return {status.error_message(), deliberate};
}

}  // namespace plugin_worker
