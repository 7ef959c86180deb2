#include "tests/bench/link/floor_side.h"

#include <sys/socket.h>

#include <cstring>
#include <stdexcept>

#include "plugin_supervisor/v1/worker_link.pb.h"
#include "supervisor/sys/syscall.h"

namespace bench {

namespace v1 = plugin_supervisor::v1;
namespace sys = supervisor::sys;

FloorSide::FloorSide(const std::string& python) {
  int ends[2];
  sys::checked("socketpair",
               [&] { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); });
  socket_ = sys::UniqueFd(ends[0]);
  const sys::UniqueFd theirs(ends[1]);
  process_.emplace(python,
                   std::vector<std::string>{std::string(BENCH_DIR) + "/floor_worker.py", PEERS_DIR},
                   theirs.get());
}

void FloorSide::call(const std::string& params) {
  v1::SupervisorFrame frame;
  auto& invoke = *frame.mutable_invoke();
  invoke.set_call_id(++last_id_);
  invoke.set_kind(v1::CALL_KIND_RUN);
  invoke.set_name("echo");
  invoke.set_params_json(params);
  const auto size = static_cast<std::uint32_t>(frame.ByteSizeLong());
  buffer_.resize(sizeof size + size);
  std::memcpy(buffer_.data(), &size, sizeof size);
  frame.SerializeToArray(buffer_.data() + sizeof size, static_cast<int>(size));
  sys::checked("send",
               [&] { return ::send(socket_.get(), buffer_.data(), buffer_.size(), MSG_NOSIGNAL); });
  char answer[4096];
  const auto got =
      sys::checked("recv", [&] { return ::recv(socket_.get(), answer, sizeof answer, 0); });
  v1::WorkerFrame result;
  if (got <= 4 || !result.ParseFromArray(answer + 4, static_cast<int>(got - 4)) ||
      result.result().call_id() != last_id_) {
    throw std::runtime_error("the floor's worker answered something else");
  }
}

}  // namespace bench
