// One open stream to a worker, as the link that it carries sees it.
#pragma once

#include <grpcpp/support/status.h>

#include "plugin_supervisor/v1/worker_link.pb.h"

namespace supervisor::link {

namespace v1 = plugin_supervisor::v1;

class FrameStream {
 public:
  static constexpr std::size_t max_queued_frames = 1u << 16;

  virtual ~FrameStream() = default;

  /// Queues `frame`. False when the worker has not read for so long that the
  /// queue is full.
  virtual bool send(v1::SupervisorFrame&& frame) = 0;

  /// Queues without writing; flush() follows.
  virtual bool queue(v1::SupervisorFrame&& frame) = 0;
  virtual void flush() = 0;

  /// Ends the stream with `status`, at once: queued frames are dropped.
  virtual void end(const grpc::Status& status) = 0;
};

}  // namespace supervisor::link
