// The supervisor as pluginctl sees it: one method per RPC it uses. Each call
// blocks the calling thread until it is answered or its time is over. After the
// supervisor was away, the next call a second or more later finds it again.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include "plugin_supervisor/v1/audit_service.grpc.pb.h"
#include "plugin_supervisor/v1/jobs_service.grpc.pb.h"
#include "plugin_supervisor/v1/plugins_service.grpc.pb.h"
#include "plugin_supervisor/v1/workers_service.grpc.pb.h"
#include "supervisor/cli/destination.h"
#include "supervisor/cli/workers_query.h"
#include "supervisor/sys/failure.h"

namespace supervisor::cli {

class SupervisorClient {
 public:
  using Duration = std::chrono::milliseconds;

  /// Time for answers that the supervisor has at hand.
  static constexpr Duration prompt = std::chrono::seconds(10);
  /// Time for those that may have to wait for a database that is away.
  static constexpr Duration with_database = std::chrono::seconds(20);
  /// Upper bound of a call whose time the supervisor decides.
  static constexpr Duration supervisors_choice = std::chrono::hours(1);
  /// What a call is given beyond the time that the supervisor was told, so
  /// that its own answer, which knows the step, arrives first.
  static constexpr Duration slack = std::chrono::seconds(5);

  /// Tries a socket first: the error of connect(2) says more than gRPC's.
  static Outcome<SupervisorClient> connect(const Destination& destination);

  Outcome<v1::ListPluginsResponse> list(Duration allowed = prompt);
  Outcome<v1::Plugin> get(const std::string& key, Duration allowed = prompt);
  /// A zero `wait` leaves the time to the supervisor, here and below.
  /// `grant_asked`: grants it what it asks for, first.
  Outcome<v1::Plugin> set_enabled(const std::string& key, bool enabled, bool grant_asked,
                                  Duration wait);
  Outcome<v1::ReloadResponse> reload(const std::string& key, Duration wait);
  Outcome<v1::SetSettingsResponse> set_settings(const std::string& key, const std::string& json);
  Outcome<v1::Plugin> set_options(const std::string& key, const v1::PluginOptions& options);
  Outcome<v1::Plugin> set_grant(const std::string& key, const v1::Permissions& granted);
  Outcome<v1::RunResponse> run(const std::string& key, const std::string& action,
                               const std::string& params_json, Duration deadline);
  Outcome<v1::ListWorkersResponse> workers();
  /// The same without blocking.
  std::unique_ptr<WorkersQuery> begin_workers(Duration allowed);
  Outcome<v1::Plugin> control(const std::string& key, v1::ControlAction action, Duration wait);
  Outcome<v1::WhyResponse> why(const std::string& key);
  Outcome<v1::DumpStacksResponse> dump_stacks(const std::string& key);
  /// Takes some seconds.
  Outcome<v1::AttackResponse> attack(const std::string& key);

  /// A zero `deadline`: none.
  Outcome<v1::Job> start_job(const std::string& key, const std::string& action,
                             const std::string& params_json, Duration deadline);
  /// Waits for the job's end for `wait`.
  Outcome<v1::Job> job(const std::string& id, Duration wait);
  Outcome<v1::ListJobsResponse> jobs(const v1::ListJobsRequest& request,
                                     Duration allowed = with_database);
  Outcome<v1::Job> cancel(const std::string& id);
  Outcome<v1::ListAuditResponse> audit(const v1::ListAuditRequest& request);

  /// Hands every line to `take` until the stream ends or `take` returns false.
  /// With `follow` only the supervisor or `take` ends it.
  Outcome<void> logs(const v1::LogsRequest& request,
                     const std::function<bool(const v1::LogLine&)>& take);

 private:
  SupervisorClient(const std::shared_ptr<grpc::Channel>& channel, bool show_secrets);
  void mask(v1::Plugin& plugin) const;
  Outcome<v1::Plugin> shown(Outcome<v1::Plugin> plugin) const;

  bool show_secrets_;  // Of settings; else a mask stands in their place.
  std::unique_ptr<v1::Plugins::Stub> plugins_;
  std::unique_ptr<v1::Workers::Stub> workers_;
  std::unique_ptr<v1::Jobs::Stub> jobs_;
  std::unique_ptr<v1::Audit::Stub> audit_;
};

}  // namespace supervisor::cli
