#include "api_gateway/supervisor_client.h"

#include <filesystem>

namespace gateway {
namespace {

// grpc.health.v1.HealthCheckRequest{service: "plugin_supervisor.v1.Plugins"}
// and HealthCheckResponse{status}, as the wire has them: Debian's gRPC ships
// the service's implementation, but neither its proto nor its stub.
constexpr std::string_view checked_service = "plugin_supervisor.v1.Plugins";
constexpr char service_field = 0x0a;  // Field 1, length-delimited.
constexpr char status_field = 0x08;   // Field 1, varint.
constexpr char serving = 1;

grpc::ByteBuffer health_request() {
  std::string wire;
  wire += service_field;
  wire += static_cast<char>(checked_service.size());
  wire += checked_service;
  const grpc::Slice slice(wire);
  return {&slice, 1};
}

bool says_serving(const grpc::ByteBuffer& response) {
  grpc::Slice wire;
  if (!response.DumpToSingleSlice(&wire).ok() || wire.size() < 2) return false;
  return wire.begin()[0] == status_field && wire.begin()[1] == serving;
}

std::shared_ptr<grpc::Channel> open_channel(const std::string& socket) {
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
  return grpc::CreateCustomChannel(
      "unix:" + std::filesystem::absolute(socket).lexically_normal().string(),
      grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

SupervisorClient::SupervisorClient(const std::string& socket, std::chrono::milliseconds timeout)
    : timeout_(timeout),
      channel_(open_channel(socket)),
      plugins_(channel_),
      generic_(channel_),
      completing_([this] { complete_calls(); }) {}

SupervisorClient::~SupervisorClient() {
  queue_.Shutdown();
  completing_.join();
}

void SupervisorClient::complete_calls() {
  void* tag = nullptr;
  bool ok = false;  // Always true for the end of a unary call.
  while (queue_.Next(&tag, &ok)) {
    { const std::lock_guard published(tags_); }
    static_cast<Waiting*>(tag)->complete();
  }
}

Awaitable<Readiness> SupervisorClient::readiness(CallInFlight& in_flight) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  const grpc::ByteBuffer request = health_request();
  grpc::ByteBuffer response;
  const Registered registered(in_flight, context);
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::Status status;
  co_await completion(in_flight, [&](Waiting* waiting) {
    reader = generic_.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue_);
    reader->StartCall();
    reader->Finish(&response, &status, waiting);
  });
  if (!status.ok()) co_return Readiness::supervisor_away;
  co_return says_serving(response) ? Readiness::ready : Readiness::database_away;
}

}  // namespace gateway
