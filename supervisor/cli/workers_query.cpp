#include "supervisor/cli/workers_query.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "supervisor/sys/syscall.h"

namespace supervisor::cli {

WorkersQuery::WorkersQuery(v1::Workers::Stub& workers, std::chrono::milliseconds allowed)
    : answered_(sys::checked("eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); })) {
  context_.set_deadline(std::chrono::system_clock::now() + allowed);
  workers.async()->List(&context_, &request_, &response_, [this](grpc::Status status) {
    status_ = std::move(status);
    // The last thing done here: whoever reads it may end this object.
    const int answered = answered_.get();
    sys::checked("write", [answered] {
      const std::uint64_t one = 1;
      return ::write(answered, &one, sizeof one);
    });
  });
}

WorkersQuery::~WorkersQuery() {
  context_.TryCancel();
  await();
}

Outcome<v1::ListWorkersResponse> WorkersQuery::take() {
  await();
  if (!status_.ok()) return from_status(status_);
  return std::move(response_);
}

void WorkersQuery::await() {
  if (std::exchange(awaited_, true)) return;
  std::uint64_t count = 0;
  sys::retry_on_eintr([&] { return ::read(answered_.get(), &count, sizeof count); });
}

}  // namespace supervisor::cli
