#include "supervisor/link/stream_server.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>

#include "supervisor/link/attach_stream.h"
#include "supervisor/rpc/eager_wait.h"

namespace supervisor::link {
namespace {

/// A stream stays with one thread; more threads than this many cores' half
/// would only take turns.
unsigned thread_count() { return std::clamp(std::thread::hardware_concurrency() / 2, 1u, 8u); }

}  // namespace

StreamServer::StreamServer(std::shared_ptr<LaunchRegister> launches, const LinkOptions& options)
    : launches_(std::move(launches)) {
  grpc::ServerBuilder builder;
  builder.RegisterService(&service_);
  // Somewhat more than a worker may say at once, so that the stream can tell
  // what is wrong with that.
  constexpr std::size_t most = std::numeric_limits<int>::max();
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min(most, options.max_message_bytes + (16u << 20))));
  builder.SetMaxSendMessageSize(-1);
  // A worker that connects and says nothing is let go. Not looked for often: of
  // each connection, idle or not, a timer goes off that often.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 4);
  // Unix sockets have no bandwidth to probe; a window of this size keeps large
  // results from stopping and going.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 4 << 20);
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  for (unsigned i = 0; i < thread_count(); ++i) queues_.push_back(builder.AddCompletionQueue());
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("gRPC could not start the server of the worker links");
  const AttachStream::Limits limits{.message_bytes = options.max_message_bytes,
                                    .batch_frames = options.max_batch_frames,
                                    .rate = options.rate};
  for (const auto& queue : queues_) {
    AttachStream::await(service_, *queue, launches_, live_, limits);
    threads_.emplace_back([this, &queue = *queue] { serve(queue); });
    ::pthread_setname_np(threads_.back().native_handle(), "worker-links");
  }
}

StreamServer::~StreamServer() { shut_down(); }

void StreamServer::serve(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  rpc::EagerWait wait(queue);
  while (wait.next(&tag, &ok)) static_cast<rpc::Completion*>(tag)->done(ok);
}

void StreamServer::take(sys::UniqueFd connection) {
  const std::lock_guard lock(mutex_);
  if (!server_) return;
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = connection.release();
  acceptor_->HandleNewConnection(&parameters);
}

void StreamServer::shut_down() {
  std::unique_ptr<grpc::Server> server;
  {
    const std::lock_guard lock(mutex_);
    server = std::move(server_);
  }
  if (!server) return;
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  // No operation may begin on a queue that is shut down: first all streams
  // must have ended, which they do now that their calls are cancelled.
  live_.wait_until_none();
  for (const auto& queue : queues_) queue->Shutdown();
  for (auto& thread : threads_) thread.join();
}

}  // namespace supervisor::link
