#include "supervisor/cli/supervisor_client.h"

#include <grpcpp/grpcpp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/socket_path.h"
#include "supervisor/sys/caller_metadata.h"
#include "supervisor/sys/secret_settings.h"
#include "supervisor/sys/unix_socket.h"

namespace supervisor::cli {
namespace {

using Duration = SupervisorClient::Duration;

Duration allowed(Duration told) {
  return (told == Duration::zero() ? SupervisorClient::supervisors_choice : told) +
         SupervisorClient::slack;
}

std::string user_name() {
  const passwd* const user = ::getpwuid(::getuid());
  return user != nullptr ? user->pw_name : std::to_string(::getuid());
}

// Who asks, for the history.
std::string requester() { return "pluginctl:" + user_name(); }

// Who asks, for the audit trail.
std::string serialised_caller() {
  v1::Caller caller;
  caller.set_origin("pluginctl");
  caller.set_actor(user_name());
  // Whoever became root by sudo is somebody all the same.
  const char* const through_sudo = std::getenv("SUDO_USER");
  if (through_sudo != nullptr) caller.set_on_behalf_of(valid_utf8(through_sudo));
  return caller.SerializeAsString();
}

template <typename Response, typename Stub, typename Request>
Outcome<Response> call(Stub& stub,
                       grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                    Response*),
                       const Request& request, Duration allowed_time) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + allowed_time);
  context.AddMetadata(sys::caller_metadata, serialised_caller());
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return from_status(status);
  return response;
}

Outcome<std::shared_ptr<grpc::ChannelCredentials>> tls_of(const Destination& destination) {
  const auto fail = [&destination](const std::string& why) {
    return make_failure(
        v1::REASON_INVALID_REQUEST, "connect",
        "The supervisor at " + destination.address + " cannot be called: " + why + ".",
        "Over TCP both sides show a certificate: give --tls-cert, --tls-key and "
        "--tls-ca.");
  };
  if (!destination.tls.all()) return fail("a certificate, its key or the authorities are missing");
  try {
    return rpc::client_credentials(rpc::read_tls(destination.tls));
  } catch (const std::exception& error) {
    return fail(error.what());
  }
}

Failure unreachable(const std::filesystem::path& socket, const std::error_code& error) {
  std::string hint =
      "Start it with deploy/up or as the service plugin-supervisor, or name its "
      "socket with --socket.";
  if (error == std::errc::permission_denied)
    hint =
        "The socket is there, but not for this user: run pluginctl as the user of the "
        "supervisor, or as root.";
  if (error == std::errc::connection_refused)
    hint = "The socket file is left over and nothing listens on it: start the supervisor.";
  return make_failure(
      v1::REASON_SUPERVISOR_UNAVAILABLE, "connect",
      "The supervisor cannot be reached at " + socket.native() + ": " + error.message() + ".",
      std::move(hint));
}

}  // namespace

Outcome<SupervisorClient> SupervisorClient::connect(const Destination& destination) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  if (!destination.address.empty()) {
    const auto credentials = tls_of(destination);
    if (credentials.has_error()) return credentials.error();
    return SupervisorClient(
        grpc::CreateCustomChannel("dns:///" + destination.address, credentials.value(), arguments),
        destination.show_secrets);
  }
  const auto& socket = destination.socket;
  if (socket.native().size() > sys::max_socket_path)
    return unreachable(socket, std::make_error_code(std::errc::filename_too_long));
  try {
    sys::connect_unix(socket);
  } catch (const std::system_error& error) {
    return unreachable(socket, error.code());
  }
  return SupervisorClient(grpc::CreateCustomChannel(grpc_address(socket),
                                                    grpc::InsecureChannelCredentials(), arguments),
                          destination.show_secrets);
}

SupervisorClient::SupervisorClient(const std::shared_ptr<grpc::Channel>& channel, bool show_secrets)
    : show_secrets_(show_secrets),
      plugins_(v1::Plugins::NewStub(channel)),
      workers_(v1::Workers::NewStub(channel)),
      jobs_(v1::Jobs::NewStub(channel)),
      audit_(v1::Audit::NewStub(channel)) {}

void SupervisorClient::mask(v1::Plugin& plugin) const {
  if (!show_secrets_)
    plugin.set_settings_json(
        sys::with_secrets_masked(plugin.settings_json(), plugin.metadata().fields_json()));
}

Outcome<v1::Plugin> SupervisorClient::shown(Outcome<v1::Plugin> plugin) const {
  if (plugin.has_value()) mask(*plugin);
  return plugin;
}

Outcome<v1::ListPluginsResponse> SupervisorClient::list(Duration allowed) {
  auto listed = call(*plugins_, &v1::Plugins::Stub::List, v1::ListPluginsRequest(), allowed);
  if (listed.has_value())
    for (auto& plugin : *listed->mutable_plugins()) mask(plugin);
  return listed;
}

Outcome<v1::Plugin> SupervisorClient::get(const std::string& key, Duration allowed) {
  v1::GetPluginRequest request;
  request.set_key(key);
  return shown(call(*plugins_, &v1::Plugins::Stub::Get, request, allowed));
}

Outcome<v1::Plugin> SupervisorClient::set_enabled(const std::string& key, bool enabled,
                                                  bool grant_asked, Duration wait) {
  v1::SetEnabledRequest request;
  request.set_key(key);
  request.set_enabled(enabled);
  request.set_grant_asked(grant_asked);
  request.set_requested_by(requester());
  request.set_wait_ms(static_cast<std::uint32_t>(wait.count()));
  return shown(call(*plugins_, &v1::Plugins::Stub::SetEnabled, request, allowed(wait)));
}

Outcome<v1::ReloadResponse> SupervisorClient::reload(const std::string& key, Duration wait) {
  v1::ReloadRequest request;
  request.set_key(key);
  return call(*plugins_, &v1::Plugins::Stub::Reload, request, allowed(wait));
}

Outcome<v1::SetSettingsResponse> SupervisorClient::set_settings(const std::string& key,
                                                                const std::string& json) {
  v1::SetSettingsRequest request;
  request.set_key(key);
  request.set_settings_json(json);
  if (show_secrets_) return call(*plugins_, &v1::Plugins::Stub::SetSettings, request, prompt);
  // Which of them are not to be shown the plugin's fields say; before there is
  // anything that could be told as not done.
  const auto plugin = get(key);
  if (plugin.has_error()) return plugin.error();
  auto stored = call(*plugins_, &v1::Plugins::Stub::SetSettings, request, prompt);
  if (stored.has_error()) return stored;
  stored->set_settings_json(
      sys::with_secrets_masked(stored->settings_json(), plugin->metadata().fields_json()));
  return stored;
}

Outcome<v1::Plugin> SupervisorClient::set_options(const std::string& key,
                                                  const v1::PluginOptions& options) {
  v1::SetOptionsRequest request;
  request.set_key(key);
  *request.mutable_options() = options;
  return shown(call(*plugins_, &v1::Plugins::Stub::SetOptions, request, prompt));
}

Outcome<v1::Plugin> SupervisorClient::set_grant(const std::string& key,
                                                const v1::Permissions& granted) {
  v1::SetGrantRequest request;
  request.set_key(key);
  *request.mutable_granted() = granted;
  request.set_requested_by(requester());
  return shown(call(*plugins_, &v1::Plugins::Stub::SetGrant, request, with_database));
}

Outcome<v1::RunResponse> SupervisorClient::run(const std::string& key, const std::string& action,
                                               const std::string& params_json, Duration deadline) {
  v1::RunRequest request;
  request.set_key(key);
  request.set_action(action);
  request.set_params_json(params_json);
  request.set_deadline_ms(static_cast<std::uint32_t>(deadline.count()));
  request.set_requested_by(requester());
  return call(*plugins_, &v1::Plugins::Stub::Run, request, allowed(deadline));
}

Outcome<v1::Job> SupervisorClient::start_job(const std::string& key, const std::string& action,
                                             const std::string& params_json, Duration deadline) {
  v1::StartJobRequest request;
  request.set_key(key);
  request.set_action(action);
  request.set_params_json(params_json);
  request.set_deadline_ms(static_cast<std::uint32_t>(deadline.count()));
  request.set_requested_by(requester());
  return call(*jobs_, &v1::Jobs::Stub::Start, request, with_database);
}

// The supervisor waits for as long as it likes; who wants to wait longer asks
// again.
Outcome<v1::Job> SupervisorClient::job(const std::string& id, Duration wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  for (;;) {
    const auto left =
        std::max(Duration::zero(),
                 std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now()));
    const auto now = std::min<Duration>(left, std::chrono::minutes(5));
    v1::GetJobRequest request;
    request.set_id(id);
    request.set_wait_ms(static_cast<std::uint32_t>(now.count()));
    auto job = call(*jobs_, &v1::Jobs::Stub::Get, request, with_database + now);
    const bool runs = job.has_value() && job->ended_unix_ms() == 0;
    if (!runs || left <= now) return job;
  }
}

Outcome<v1::ListJobsResponse> SupervisorClient::jobs(const v1::ListJobsRequest& request,
                                                     Duration allowed) {
  return call(*jobs_, &v1::Jobs::Stub::List, request, allowed);
}

Outcome<v1::Job> SupervisorClient::cancel(const std::string& id) {
  v1::CancelJobRequest request;
  request.set_id(id);
  return call(*jobs_, &v1::Jobs::Stub::Cancel, request, with_database);
}

Outcome<v1::ListAuditResponse> SupervisorClient::audit(const v1::ListAuditRequest& request) {
  return call(*audit_, &v1::Audit::Stub::List, request, with_database);
}

Outcome<v1::ListWorkersResponse> SupervisorClient::workers() {
  return call(*workers_, &v1::Workers::Stub::List, v1::ListWorkersRequest(), prompt);
}

std::unique_ptr<WorkersQuery> SupervisorClient::begin_workers(Duration allowed) {
  return std::make_unique<WorkersQuery>(*workers_, allowed);
}

Outcome<v1::Plugin> SupervisorClient::control(const std::string& key, v1::ControlAction action,
                                              Duration wait) {
  v1::ControlRequest request;
  request.set_key(key);
  request.set_action(action);
  request.set_wait_ms(static_cast<std::uint32_t>(wait.count()));
  return shown(call(*workers_, &v1::Workers::Stub::Control, request, allowed(wait)));
}

Outcome<v1::WhyResponse> SupervisorClient::why(const std::string& key) {
  v1::WhyRequest request;
  request.set_key(key);
  auto why = call(*workers_, &v1::Workers::Stub::Why, request, prompt);
  if (why.has_value()) mask(*why->mutable_plugin());
  return why;
}

Outcome<v1::DumpStacksResponse> SupervisorClient::dump_stacks(const std::string& key) {
  v1::DumpStacksRequest request;
  request.set_key(key);
  return call(*workers_, &v1::Workers::Stub::DumpStacks, request, prompt);
}

Outcome<v1::AttackResponse> SupervisorClient::attack(const std::string& key) {
  constexpr auto as_the_supervisor_allows = std::chrono::seconds(60);
  v1::AttackRequest request;
  request.set_key(key);
  return call(*workers_, &v1::Workers::Stub::Attack, request, allowed(as_the_supervisor_allows));
}

Outcome<void> SupervisorClient::logs(const v1::LogsRequest& request,
                                     const std::function<bool(const v1::LogLine&)>& take) {
  grpc::ClientContext context;
  if (!request.follow()) context.set_deadline(std::chrono::system_clock::now() + prompt);
  const auto stream = workers_->Logs(&context, request);
  v1::LogLine line;
  while (stream->Read(&line)) {
    if (take(line)) continue;
    context.TryCancel();
    while (stream->Read(&line)) {
    }
    stream->Finish();
    return boost::system::in_place_value;
  }
  const grpc::Status status = stream->Finish();
  if (!status.ok()) return from_status(status);
  return boost::system::in_place_value;
}

}  // namespace supervisor::cli
