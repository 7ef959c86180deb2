#include "api_gateway/supervisor_client.h"

#include <filesystem>

namespace gateway {
namespace {

std::shared_ptr<grpc::Channel> open_channel(const Options& options,
                                            const supervisor::rpc::TlsTexts* tls) {
  grpc::ChannelArguments arguments;
  // A Unix socket is there or it is not: asking often costs next to nothing,
  // and a supervisor that came back is noticed soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // In spite of its name, how long one attempt may take: a supervisor that is
  // busy needs a moment to greet.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  // Whether a failed call is tried again is the client's decision: it may have
  // run. Without retries, gRPC also leaves out the bookkeeping for them.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Results are bounded by the supervisor's configuration, not by a second one.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 64 * 1024);
  if (tls != nullptr)
    return grpc::CreateCustomChannel("dns:///" + options.supervisor_address,
                                     supervisor::rpc::client_credentials(*tls), arguments);
  const auto& socket = options.supervisor_socket;
  return grpc::CreateCustomChannel(
      "unix:" + std::filesystem::absolute(socket).lexically_normal().string(),
      grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

SupervisorClient::SupervisorClient(const Options& options, const supervisor::rpc::TlsTexts* tls)
    : timeout_(options.request_timeout),
      channel_(open_channel(options, tls)),
      plugins_(channel_),
      workers_(channel_),
      metrics_(channel_),
      jobs_(channel_),
      audit_(channel_),
      health_(channel_),
      completing_([this] { complete_calls(); }) {}

SupervisorClient::~SupervisorClient() {
  queue_.Shutdown();
  completing_.join();
}

void SupervisorClient::complete_calls() {
  void* tag = nullptr;
  bool ok = false;  // Always true for the end of a call.
  while (queue_.Next(&tag, &ok)) {
    { const std::lock_guard published(tags_); }
    static_cast<Waiting*>(tag)->complete(ok);
  }
}

Awaitable<supervisor::Outcome<std::vector<plugin_supervisor::v1::LogLine>>> SupervisorClient::logs(
    const plugin_supervisor::v1::LogsRequest& request, CallInFlight& in_flight) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout_);
  const Registered registered(in_flight, context);
  std::unique_ptr<grpc::ClientAsyncReader<plugin_supervisor::v1::LogLine>> reader;
  const auto begin = [&](Waiting* waiting) {
    reader = workers_.AsyncLogs(&context, request, &queue_, waiting);
  };
  bool more = co_await completion(in_flight, begin);
  std::vector<plugin_supervisor::v1::LogLine> lines;
  plugin_supervisor::v1::LogLine line;
  const auto read = [&](Waiting* waiting) { reader->Read(&line, waiting); };
  while (more) {
    more = co_await completion(in_flight, read);
    if (more) lines.push_back(std::exchange(line, {}));
  }
  grpc::Status status;
  const auto finish = [&](Waiting* waiting) { reader->Finish(&status, waiting); };
  co_await completion(in_flight, finish);
  if (!status.ok()) co_return supervisor::from_status(status);
  co_return std::move(lines);
}

Awaitable<supervisor::Outcome<plugin_supervisor::v1::CollectMetricsResponse>>
SupervisorClient::metrics(CallInFlight& in_flight) {
  using Response = plugin_supervisor::v1::CollectMetricsResponse;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  const plugin_supervisor::v1::CollectMetricsRequest request;
  const Registered registered(in_flight, context);
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  Response response;
  grpc::Status status;
  const auto begin = [&](Waiting* waiting) {
    reader = metrics_.AsyncCollect(&context, request, &queue_);
    reader->Finish(&response, &status, waiting);
  };
  co_await completion(in_flight, begin);
  if (!status.ok()) co_return supervisor::from_status(status);
  co_return std::move(response);
}

Awaitable<Readiness> SupervisorClient::readiness(CallInFlight& in_flight) {
  using Response = grpc::health::v1::HealthCheckResponse;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(Plugins::service_full_name());
  const Registered registered(in_flight, context);
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;
  Response response;
  grpc::Status status;
  co_await completion(in_flight, [&](Waiting* waiting) {
    reader = health_.AsyncCheck(&context, request, &queue_);
    reader->Finish(&response, &status, waiting);
  });
  if (!status.ok()) co_return Readiness::supervisor_away;
  co_return response.status() == Response::SERVING ? Readiness::ready : Readiness::database_away;
}

}  // namespace gateway
