#include "supervisor/services/health_service.h"

#include <optional>

namespace supervisor::services {
namespace {

grpc::health::v1::HealthCheckResponse response(
    grpc::health::v1::HealthCheckResponse::ServingStatus status) {
  grpc::health::v1::HealthCheckResponse response;
  response.set_status(status);
  return response;
}

}  // namespace

void HealthService::set(const std::string& service, bool serving) {
  const auto status = serving ? Response::SERVING : Response::NOT_SERVING;
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = statuses_.emplace(service, status);
  if (!is_new && entry->second == status) return;
  entry->second = status;
  const auto [first, last] = watchers_.equal_range(service);
  for (auto watcher = first; watcher != last; ++watcher) watcher->second->push(response(status));
}

void HealthService::open(rpc::CallDesk& desk) {
  desk.unary(service_, &decltype(service_)::RequestCheck, [this](const auto& call) {
    std::optional<Response::ServingStatus> status;
    {
      const std::lock_guard lock(mutex_);
      const auto found = statuses_.find(call->request().service());
      if (found != statuses_.end()) status = found->second;
    }
    if (status) {
      call->answer(response(*status));
    } else {
      call->refuse({grpc::StatusCode::NOT_FOUND, "no such service"});
    }
  });
  desk.stream(service_, &decltype(service_)::RequestWatch,
              [this](const auto& call) { watch(call); });
}

void HealthService::watch(const std::shared_ptr<WatchCall>& call) {
  const std::string& service = call->request().service();
  {
    const std::lock_guard lock(mutex_);
    const auto found = statuses_.find(service);
    call->push(response(found == statuses_.end() ? Response::SERVICE_UNKNOWN : found->second));
    watchers_.emplace(service, call);
  }
  call->when_over([this, service, watcher = call.get()] {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = watchers_.equal_range(service);
    const auto found =
        std::find_if(first, last, [&](const auto& entry) { return entry.second.get() == watcher; });
    if (found != last) watchers_.erase(found);
  });
}

}  // namespace supervisor::services
