// The standard health service (grpc.health.v1), on the API's own thread.
// (gRPC's ready-made one would bring the callback API's threads back, which
// wake up for every event of every call.)
//
// Owned by the ApiServer. set() on any thread.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "grpc/health/v1/health.grpc.pb.h"
#include "supervisor/rpc/call_desk.h"

namespace supervisor::services {

class HealthService {
 public:
  void set(const std::string& service, bool serving);

  grpc::Service& grpc_service() { return service_; }
  /// Begins to take calls.
  void open(rpc::CallDesk& desk);

 private:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  using WatchCall = rpc::StreamCall<Request, Response>;

  void watch(const std::shared_ptr<WatchCall>& call);

  grpc::health::v1::Health::AsyncService service_;
  std::mutex mutex_;
  std::map<std::string, Response::ServingStatus> statuses_;
  std::multimap<std::string, std::shared_ptr<WatchCall>> watchers_;  // By service.
};

}  // namespace supervisor::services
