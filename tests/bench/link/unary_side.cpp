#include "tests/bench/link/unary_side.h"

#include <stdexcept>

namespace bench {

namespace v1 = plugin_supervisor::v1;

namespace {

struct Call {
  grpc::ClientContext context;
  v1::Invoke request;
  v1::Result response;
};

}  // namespace

UnarySide::UnarySide(const std::string& python, const std::filesystem::path& scratch) {
  const std::string address = "unix:" + (scratch / "unary.sock").string();
  process_.emplace(
      python,
      std::vector<std::string>{std::string(BENCH_DIR) + "/unary_worker.py", PEERS_DIR, address},
      -1);
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  stub_.emplace(channel);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
    throw std::runtime_error("the grpcio worker did not come up (is python3-grpcio installed?)");
  }
}

void UnarySide::begin(const std::string& params, std::function<void(bool ok)> done) {
  auto call = std::make_shared<Call>();
  call->request.set_call_id(1);
  call->request.set_kind(v1::CALL_KIND_RUN);
  call->request.set_name("echo");
  call->request.set_params_json(params);
  stub_->UnaryCall(&call->context, "/bench.Unary/Run", {}, &call->request, &call->response,
                   [call, done = std::move(done)](const grpc::Status& status) {
                     done(status.ok() && call->response.has_result_json());
                   });
}

}  // namespace bench
