// A question for all workers that is under way while the asker waits for other
// things as well, such as keys and signals.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>

#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/sys/failure.h"
#include "supervisor/sys/unique_fd.h"

namespace supervisor::cli {

class WorkersQuery {
 public:
  /// Asks; the answer, or that there is none, comes within `allowed`.
  WorkersQuery(v1::Workers::Stub& workers, std::chrono::milliseconds allowed);
  /// Gives up what has not been answered, without delay.
  ~WorkersQuery();
  WorkersQuery(const WorkersQuery&) = delete;
  WorkersQuery& operator=(const WorkersQuery&) = delete;

  /// Readable once there is an answer.
  [[nodiscard]] int fd() const { return answered_.get(); }

  /// The answer, which is waited for. To be called once.
  Outcome<v1::ListWorkersResponse> take();

 private:
  void await();

  grpc::ClientContext context_;
  v1::ListWorkersRequest request_;
  v1::ListWorkersResponse response_;
  grpc::Status status_;  // Written before answered_ is, by a thread of gRPC.
  sys::UniqueFd answered_;
  bool awaited_ = false;
};

}  // namespace supervisor::cli
