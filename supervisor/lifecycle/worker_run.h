// One generation of a plugin: a process from its launch to its verified end.
//
// Owned by the plugin's supervision, used on the core thread. What the worker
// says arrives on gRPC threads and is posted here; `changed` tells the
// supervision to look again.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "supervisor/lifecycle/change_signal.h"
#include "supervisor/lifecycle/heartbeat.h"
#include "supervisor/lifecycle/launch.h"
#include "supervisor/lifecycle/left_launch.h"
#include "supervisor/lifecycle/plugin_failures.h"
#include "supervisor/lifecycle/runtime_dir.h"
#include "supervisor/lifecycle/stop_budget.h"
#include "supervisor/lifecycle/supervision_context.h"
#include "supervisor/lifecycle/worker_network.h"
#include "supervisor/lifecycle/worker_sandbox.h"
#include "supervisor/link/worker_link.h"
#include "supervisor/logs/log_book.h"

namespace supervisor::lifecycle {

class WorkerRun : public std::enable_shared_from_this<WorkerRun> {
 public:
  using Clock = std::chrono::steady_clock;

  WorkerRun(SupervisionContext& context, std::string plugin, std::uint64_t generation,
            std::shared_ptr<logs::LogBook> log_book, ChangeSignal& changed,
            v1::PluginOptions plugin_options);
  ~WorkerRun();
  WorkerRun(const WorkerRun&) = delete;
  WorkerRun& operator=(const WorkerRun&) = delete;

  /// What start() has the worker made by.
  void set_runtime(spawner::Runtime runtime) { runtime_ = std::move(runtime); }
  [[nodiscard]] const std::string& runtime_name() const { return runtime_.name; }
  [[nodiscard]] const spawner::Runtime& runtime() const { return runtime_; }
  /// The start is over: a spare is made in place of the one it took, and the
  /// spawner may be replaced while the worker runs on. Again it does nothing.
  void release_runtime();

  /// What it may do, and what keeps it from the rest.
  void set_sandbox(WorkerSandbox sandbox) { sandbox_ = std::move(sandbox); }
  /// What was recorded, for one that is taken over.
  [[nodiscard]] const WorkerSandbox& sandbox() const { return sandbox_; }
  /// What keeps it to its network. Null until it has been launched.
  [[nodiscard]] std::shared_ptr<NetworkStatus> network() const {
    return network_ ? network_->status() : nullptr;
  }

  /// Takes a spare worker, or waits for its turn with the spawner and has one
  /// forked; opens the link's socket, and sends `load` as soon as the worker has
  /// attached. CANCELLED when `is_wanted` says no once it is its turn; `budget`
  /// counts from there.
  boost::asio::awaitable<Outcome<void>> start(v1::Load load, std::chrono::milliseconds budget,
                                              std::function<bool()> is_wanted);

  /// Takes over what an earlier supervisor left. A worker that lives attaches
  /// within moments, loaded or to be given `load`; one that has ended is
  /// exited() at once.
  Outcome<void> adopt(LeftLaunch left, v1::Load load);
  [[nodiscard]] bool is_adopted() const { return adopted_; }
  /// It was told to stop before it was taken over.
  [[nodiscard]] bool is_stopping() const { return stopping_; }

  // Facts, set as they become known.
  [[nodiscard]] bool attached() const { return attached_; }
  [[nodiscard]] bool exited() const { return exited_; }
  [[nodiscard]] bool link_lost() const { return link_lost_; }
  /// What it said that no worker says; empty unless its link was cut for that.
  [[nodiscard]] const std::string& cut_because() const { return cut_because_; }
  [[nodiscard]] const std::optional<v1::Loaded>& loaded() const { return loaded_; }
  [[nodiscard]] const std::optional<Failure>& load_failed() const { return load_failed_; }
  /// A call that did not let go when it was cancelled at its deadline.
  struct StuckCall {
    std::string name;
    std::chrono::milliseconds since;
  };
  [[nodiscard]] const std::optional<StuckCall>& stuck() const { return stuck_; }
  /// From now on its heartbeat is watched.
  void watch_heartbeat();
  /// Null until it has been launched.
  [[nodiscard]] const std::shared_ptr<Heartbeat>& heartbeat() const { return heartbeat_; }
  /// How its heartbeat found it when it gave it up: wedged, stopped or silent.
  [[nodiscard]] const std::optional<v1::Pulse>& unwell() const { return unwell_; }
  /// What the kernel shows of a worker that says nothing.
  [[nodiscard]] SilentProcess silent_process() const;
  /// The stacks of all Python threads; empty when the worker does not tell them
  /// until `deadline`, or ends.
  boost::asio::awaitable<std::string> ask_for_stacks(Clock::time_point deadline);
  /// Metadata told again after a settings change; empty once taken.
  std::optional<v1::Loaded> take_metadata() { return std::exchange(metadata_changed_, {}); }

  /// The process that runs the plugin; 0 until it has attached.
  [[nodiscard]] pid_t pid() const { return worker_ ? worker_.pid() : 0; }
  [[nodiscard]] const v1::StartSteps& steps() const { return steps_; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  /// When it was launched, by whichever supervisor.
  [[nodiscard]] std::int64_t started_unix_ms() const { return started_unix_ms_; }
  [[nodiscard]] std::shared_ptr<link::WorkerLink> link() const;

  /// Before it is ended because somebody wants that: were we killed meanwhile,
  /// the next supervisor would not take it for a crash.
  void note_wanted_end() {
    if (runtime_dir_) runtime_dir_->note_wanted_end();
  }

  /// Ends the worker, in one budget (see StopBudget): calls under way and
  /// stop() of the plugin (when it has loaded), SIGTERM, SIGKILL. Returns when
  /// the process has exited, or does not although it was killed; finish()
  /// follows.
  boost::asio::awaitable<void> stop(std::string reason, std::chrono::milliseconds budget);

  /// Ends the worker and all it started at once, without asking. Returns as
  /// stop() does; finish() follows.
  boost::asio::awaitable<void> kill(std::string reason);

  /// As kill(), for a run that is being stopped already.
  void hurry() {
    hurried_ = true;
    changed_.notify();
  }

  /// After the exit: reaps, ends what is left of what the worker started, sees
  /// whether all is gone, and waits a moment for the last lines in the pipes.
  boost::asio::awaitable<void> finish();

  /// What the launch may use, and what holds it to that. Null until it has been
  /// launched.
  [[nodiscard]] const std::shared_ptr<limits::LaunchLimits>& limits() const { return limits_; }

  /// What the last stop() did and how long it took. Whole after finish().
  [[nodiscard]] const v1::StopReport& stop_report() const { return stop_report_; }

  /// How the process ended, with its last lines as evidence. After finish().
  [[nodiscard]] const std::optional<sys::ExitStatus>& exit_status() const { return exit_status_; }
  [[nodiscard]] Failure death(const std::string& step) const;
  /// It ended as it was told to, by us or an earlier supervisor, or for want of
  /// one: that is no crash.
  [[nodiscard]] bool ended_without_fault() const;

 private:
  link::LinkEvents link_events();
  void make_heartbeat();
  void take_pulse(v1::Pulse before, const PulseVerdict& now);
  [[nodiscard]] std::vector<std::string> last_texts() const;
  boost::asio::awaitable<void> read_pipe(boost::asio::posix::stream_descriptor& pipe,
                                         v1::LogSource source);
  boost::asio::awaitable<void> await_exit();
  boost::asio::awaitable<bool> exited_by(Clock::time_point deadline, bool unless_hurried = false);
  boost::asio::awaitable<Outcome<void>> launch(const spawner::Spawner::Place& place,
                                               Clock::time_point deadline);
  bool launch_spare(Launch spare);
  void intend(Launch& launch);
  Outcome<void> assign(Launch& launch);
  std::optional<Failure> try_to_assign(Launch& launch);
  [[nodiscard]] bool takes_spares() const;
  [[nodiscard]] limits::Limits wanted_limits() const;
  [[nodiscard]] std::string launch_mark_variable_text() const;
  [[nodiscard]] std::vector<std::string> command(const Launch& launch) const;
  void take_forked(Launch launch, bool spare);
  void watch(sys::UniqueFd out, sys::UniqueFd err);
  void take_attached(const v1::Hello& hello);
  void take_loaded(v1::Loaded loaded);
  [[nodiscard]] std::uint32_t since_start() const;
  void begin_report(std::string reason, std::chrono::milliseconds budget);
  boost::asio::awaitable<void> ask_to_stop();
  boost::asio::awaitable<void> terminate();
  boost::asio::awaitable<void> kill_all();
  [[nodiscard]] v1::LaunchRecord launch_record(const std::string& token) const;
  boost::asio::awaitable<int> end_orphans(std::vector<pid_t>& surviving);
  void tell_survivors(const std::vector<pid_t>& surviving);
  void say(v1::LogLevel level, std::string text);
  void watch_limits();
  void watch_disk();
  boost::asio::awaitable<void> know_names();
  void keep_to_network(const Launch& launch);
  [[nodiscard]] std::filesystem::path hosts_file(const RuntimeDir& directory) const;
  void take_sandbox(const v1::SandboxOutcome& outcome);
  [[nodiscard]] std::uint64_t largest_file() const;
  void end_over_limit();
  [[nodiscard]] bool goes_on() const;

  SupervisionContext& context_;
  const std::string plugin_;
  const std::uint64_t generation_;
  const std::shared_ptr<logs::LogBook> log_book_;
  ChangeSignal& changed_;
  const v1::PluginOptions plugin_options_;  // As they were when it was launched.

  std::optional<RuntimeDir> runtime_dir_;
  std::unique_ptr<link::LinkServer::Expectation> expectation_;
  sys::Pidfd init_;    // The worker's parent; its end is the worker's and all its children's.
  sys::Pidfd worker_;  // Runs the plugin; known once it has attached.
  bool pid_namespace_ = false;
  std::optional<boost::asio::posix::stream_descriptor> exit_watch_;
  std::optional<boost::asio::posix::stream_descriptor> out_;
  std::optional<boost::asio::posix::stream_descriptor> err_;
  int open_pipes_ = 0;

  spawner::Runtime runtime_;
  WorkerSandbox sandbox_;
  std::unique_ptr<WorkerNetwork> network_;
  v1::Load load_;
  std::string token_;        // Until the worker has been told.
  std::string launch_mark_;  // In the environment of all its processes.
  std::int64_t started_unix_ms_ = 0;
  bool adopted_ = false;
  bool stopping_ = false;
  bool end_was_wanted_ = false;  // By an earlier supervisor.
  const Clock::time_point begun_ = Clock::now();
  v1::StartSteps steps_;
  v1::StopReport stop_report_;
  std::optional<StopBudget> stop_budget_;
  bool hurried_ = false;
  bool attached_ = false;
  bool exited_ = false;
  bool link_lost_ = false;
  std::string cut_because_;
  std::optional<v1::Loaded> loaded_;
  std::optional<Failure> load_failed_;
  std::optional<v1::Loaded> metadata_changed_;
  std::optional<StuckCall> stuck_;
  std::shared_ptr<Heartbeat> heartbeat_;
  std::optional<v1::Pulse> unwell_;
  double cpu_when_silent_ = 0;  // Processor time in seconds that it had had by then.
  std::string stacks_;
  std::uint64_t stacks_seen_ = 0;
  std::optional<sys::ExitStatus> exit_status_;
  std::shared_ptr<limits::LaunchLimits> limits_;
  std::optional<Failure> limit_cause_;  // Set when a limit was what ended it.
  std::string init_failure_;            // The step that the init failed at, with its error.
};

}  // namespace supervisor::lifecycle
