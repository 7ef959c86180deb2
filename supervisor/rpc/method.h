// How a kind of call comes to be: asked of gRPC, and handled. Shared by all
// calls of one method, for as long as the last of them lives.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "supervisor/rpc/live_calls.h"

namespace supervisor::rpc {

/// `Call` is the type that handles one call, `Writer` what it answers with.
template <typename Call, typename Request, typename Writer>
struct Method {
  /// Asks gRPC to fill these in when the next call comes, and to complete the
  /// tag.
  std::function<void(grpc::ServerContext*, Request*, Writer*, void* tag)> ask;
  /// Called for each call, on the thread of the completion queue.
  std::function<void(const std::shared_ptr<Call>&)> handle;
  LiveCalls& live;
};

}  // namespace supervisor::rpc
