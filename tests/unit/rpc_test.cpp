#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>

#include "plugin_supervisor/v1/plugins_service.grpc.pb.h"
#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/rpc/call_desk.h"
#include "supervisor/services/health_service.h"
#include "tests/unit/link_fixture.h"

namespace {

using namespace std::chrono_literals;
using namespace supervisor;
using link_fixture::Scratch;
using Health = grpc::health::v1::Health;
using Request = grpc::health::v1::HealthCheckRequest;
using Response = grpc::health::v1::HealthCheckResponse;
using RunCall = rpc::UnaryCall<v1::RunRequest, v1::RunResponse>;
using LogsCall = rpc::StreamCall<v1::LogsRequest, v1::LogLine>;

/// A server with the health service, one unary and one streaming method, whose
/// calls the test answers itself.
struct Server {
  Scratch scratch;
  services::HealthService health;
  v1::Plugins::AsyncService plugins;
  v1::Workers::AsyncService workers;
  std::unique_ptr<rpc::CallDesk> desk;
  std::unique_ptr<grpc::Server> server;
  std::shared_ptr<grpc::Channel> channel;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<RunCall>> runs;
  std::vector<std::shared_ptr<LogsCall>> logs;

  Server() {
    const std::string address = "unix:" + (scratch.path() / "api.sock").string();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&health.grpc_service());
    builder.RegisterService(&plugins);
    builder.RegisterService(&workers);
    auto queue = builder.AddCompletionQueue();
    server = builder.BuildAndStart();
    desk = std::make_unique<rpc::CallDesk>(std::move(queue));
    health.open(*desk);
    desk->unary(plugins, &v1::Plugins::AsyncService::RequestRun,
                [this](const auto& call) { keep(runs, call); });
    desk->stream(workers, &v1::Workers::AsyncService::RequestLogs,
                 [this](const auto& call) { keep(logs, call); });
    desk->start();
    channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  }

  ~Server() { shut_down(); }

  void shut_down() {
    server->Shutdown(std::chrono::system_clock::now() + 100ms);
    desk->shut_down();
  }

  template <typename Call>
  void keep(std::vector<Call>& calls, const Call& call) {
    const std::lock_guard lock(mutex);
    calls.push_back(call);
    changed.notify_all();
  }

  /// The next call, out of the server's hands.
  template <typename Call>
  Call take(std::vector<Call>& calls) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, 10s, [&] { return !calls.empty(); }));
    auto call = std::move(calls.front());
    calls.erase(calls.begin());
    return call;
  }

  grpc::Status check(const std::string& service, Response& response) {
    grpc::ClientContext context;
    Request request;
    request.set_service(service);
    return Health::NewStub(channel)->Check(&context, request, &response);
  }
};

}  // namespace

TEST_CASE("the health service tells of a service, and of one it does not know") {
  Server server;
  Response response;
  CHECK(server.check("a", response).error_code() == grpc::StatusCode::NOT_FOUND);
  server.health.set("a", false);
  REQUIRE(server.check("a", response).ok());
  CHECK(response.status() == Response::NOT_SERVING);
  server.health.set("a", true);
  REQUIRE(server.check("a", response).ok());
  CHECK(response.status() == Response::SERVING);
}

TEST_CASE("a health watcher is told each change, and ends with the server") {
  Server server;
  grpc::ClientContext context;
  Request request;
  request.set_service("a");
  const auto stream = Health::NewStub(server.channel)->Watch(&context, request);
  Response response;
  REQUIRE(stream->Read(&response));
  CHECK(response.status() == Response::SERVICE_UNKNOWN);
  server.health.set("a", true);
  REQUIRE(stream->Read(&response));
  CHECK(response.status() == Response::SERVING);
  server.health.set("a", true);  // No change.
  server.health.set("a", false);
  REQUIRE(stream->Read(&response));
  CHECK(response.status() == Response::NOT_SERVING);
  server.shut_down();
  CHECK_FALSE(stream->Read(&response));
  CHECK_FALSE(stream->Finish().ok());
}

TEST_CASE("a unary call is answered from any thread, with a value or a failure") {
  Server server;
  const auto stub = v1::Plugins::NewStub(server.channel);
  for (const bool fails : {false, true}) {
    auto answered = std::async(std::launch::async, [&] {
      const auto call = server.take(server.runs);
      if (fails) {
        call->answer(make_failure(v1::REASON_QUEUE_FULL, "run", "full"));
        return;
      }
      v1::RunResponse response;
      response.set_result_json(call->request().params_json());
      call->answer(std::move(response));
    });
    grpc::ClientContext context;
    v1::RunRequest request;
    request.set_params_json("[1]");
    v1::RunResponse response;
    const auto status = stub->Run(&context, request, &response);
    answered.get();
    if (fails) {
      CHECK(from_status(status).reason() == v1::REASON_QUEUE_FULL);
    } else {
      REQUIRE(status.ok());
      CHECK(response.result_json() == "[1]");
    }
  }
}

TEST_CASE("whoever works for a caller that hung up is told, early or late") {
  Server server;
  const auto stub = v1::Plugins::NewStub(server.channel);
  for (const bool late : {false, true}) {
    grpc::ClientContext context;
    v1::RunRequest request;
    v1::RunResponse response;
    auto calling =
        std::async(std::launch::async, [&] { return stub->Run(&context, request, &response); });
    const auto call = server.take(server.runs);
    std::promise<void> told;
    if (!late) call->when_hung_up([&] { told.set_value(); });
    context.TryCancel();
    CHECK(calling.get().error_code() == grpc::StatusCode::CANCELLED);
    if (late) call->when_hung_up([&] { told.set_value(); });
    CHECK(told.get_future().wait_for(10s) == std::future_status::ready);
    call->answer(make_failure(v1::REASON_CANCELLED, "run", "gone"));
  }
}

TEST_CASE("a stream delivers what was pushed before its end, in order") {
  Server server;
  grpc::ClientContext context;
  const auto stream = v1::Workers::NewStub(server.channel)->Logs(&context, v1::LogsRequest());
  const auto call = server.take(server.logs);
  constexpr int lines = 500;
  for (int i = 0; i < lines; ++i) {
    v1::LogLine line;
    line.set_text(std::to_string(i));
    call->push(std::move(line));
  }
  call->end();
  call->push({});  // Too late: dropped.
  v1::LogLine line;
  for (int i = 0; i < lines; ++i) {
    REQUIRE(stream->Read(&line));
    CHECK(line.text() == std::to_string(i));
  }
  CHECK_FALSE(stream->Read(&line));
  CHECK(stream->Finish().ok());
}

TEST_CASE("a reader that falls behind is let go, and the pushing told") {
  Server server;
  grpc::ClientContext context;
  const auto stream = v1::Workers::NewStub(server.channel)->Logs(&context, v1::LogsRequest());
  const auto call = server.take(server.logs);
  std::promise<void> over;
  call->when_over([&] { over.set_value(); });
  v1::LogLine line;
  line.set_text(std::string(4096, 'x'));
  // More than the queue holds and the connection takes in without a reader.
  for (std::size_t i = 0; i < LogsCall::max_queued * 2; ++i) call->push(line);
  while (stream->Read(&line)) {
  }
  CHECK(stream->Finish().error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(over.get_future().wait_for(10s) == std::future_status::ready);
}
