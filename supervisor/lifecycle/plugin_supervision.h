// One plugin's life: decides whether a worker should run, runs it, and tells
// why it does not. One coroutine per plugin, on the core thread, owns the
// state; it reconciles what is wanted (files, database row, commands) with what
// is, one generation at a time.
//
// status() and invoke() may be used from any thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "supervisor/lifecycle/change_signal.h"
#include "supervisor/lifecycle/left_launch.h"
#include "supervisor/lifecycle/plugin_status.h"
#include "supervisor/lifecycle/restart_policy.h"
#include "supervisor/lifecycle/supervision_context.h"
#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/log_book.h"

namespace supervisor::lifecycle {

class PluginSupervision : public std::enable_shared_from_this<PluginSupervision> {
 public:
  using Clock = std::chrono::steady_clock;

  PluginSupervision(SupervisionContext& context, std::string key);

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::shared_ptr<logs::LogBook>& log_book() const { return log_book_; }

  // --- Core thread: what is wanted -----------------------------------------

  /// The coroutine. Spawned once by the registry; ends after shut_down() or
  /// retire().
  boost::asio::awaitable<void> supervise();

  /// The files as discovery found them; nothing when they are gone.
  void set_entry(std::optional<catalog::CatalogEntry> entry);
  /// The database row; nothing when there is none.
  void set_row(std::optional<store::PluginConfigRow> row);
  /// Stops the worker and starts it again, with fresh code.
  void reload();
  /// Starts what was stopped, did not load, waits or is quarantined; forgets
  /// its crashes. A running worker is left alone.
  void start();
  /// No worker until start(), restart(), reload() or enabling it again.
  void stop();
  /// Like reload(), with the reason "restart".
  void restart();
  /// Ends the worker at once, and starts another. False when there is none.
  bool kill();
  /// Tries again to load what did not load.
  void retry_load();
  /// As start(), but only when it is quarantined.
  void unquarantine();

  /// The stacks of the worker's Python threads. NOT_FOUND without a worker,
  /// DEADLINE_EXCEEDED when it does not tell in time.
  boost::asio::awaitable<Outcome<std::string>> dump_stacks(Clock::time_point deadline);

  /// What the database remembers of it; before its first row.
  void restore(const store::CrashLedgerRow& remembered);
  /// What an admin has set for it: timeouts at once, the rest from the next
  /// start on.
  void set_options(v1::PluginOptions options);

  /// The user id that is its own; 0 = it runs as the supervisor.
  void set_user(std::uint32_t user) {
    status_.change([user](PluginFacts& facts) { facts.user = user; });
  }
  /// What an admin has granted it: used from the next start on.
  void set_grant(sandbox::Grant grant);

  /// What an earlier supervisor left of this plugin; before its first row. Its
  /// worker is taken over, or its end counted.
  void take_over(LeftLaunch left);
  /// An earlier supervisor had begun this generation: the next is another.
  void use_up(std::uint64_t generation);
  /// A worker of an earlier supervisor may still come.
  [[nodiscard]] bool is_adopting() const { return adopting_; }

  /// Stops the worker for good (reason "shutdown").
  void shut_down();

  /// After supervise() has thrown: no call is taken any more, and nobody waits
  /// for it.
  void break_off(const std::string& error);

  /// Waits until everything asked for so far has come to rest, or `deadline`.
  boost::asio::awaitable<void> settled(Clock::time_point deadline);

  [[nodiscard]] const PluginFacts& facts() const { return status_.facts(); }
  [[nodiscard]] bool ended() const { return ended_; }

  /// Called on the core thread after the plugin has loaded or changed its
  /// metadata, so that its row can follow.
  std::function<void(const PluginSupervision&)> on_metadata;
  /// Called on the core thread with what the database is to remember.
  std::function<void(store::CrashLedgerRow)> on_ledger;

  // --- Any thread -----------------------------------------------------------

  /// What is known of it, as the API shows it.
  [[nodiscard]] const PluginStatus& status() const { return status_; }

  /// A call under way, to be given up when its caller hangs up.
  struct CallHandle {
    std::weak_ptr<link::WorkerLink> link;
    std::uint64_t id = 0;
  };

  /// The result of this job is where it outlives the supervisor: its worker
  /// need not keep it.
  void result_safe(std::uint64_t generation, const std::string& job_id) const;

  /// The generation that would take a call now, or why none does.
  Outcome<std::uint64_t> serving_generation() const;

  static constexpr auto no_timeout = std::chrono::milliseconds::max();
  /// Calls the plugin. `done` is called exactly once, on whichever thread
  /// settles the call, possibly before this returns. `timeout` 0 = default; it
  /// becomes the call's deadline.
  CallHandle invoke(link::WorkerLink::Call call, std::chrono::milliseconds timeout,
                    link::WorkerLink::Done done);

 private:
  enum class Hold { none, backoff, quarantine };

  bool wants_worker() const;
  Hold hold() const;
  void forget_crashes();
  void remember();
  void ask();
  void look_at_permissions();
  void hide_secrets();
  boost::asio::awaitable<void> wait_in(Hold hold);
  void take_crash(const WorkerRun& run, std::chrono::milliseconds ran_for);
  std::optional<Failure> obstacle() const;
  boost::asio::awaitable<void> run_generation();
  boost::asio::awaitable<void> adopt_generation();
  boost::asio::awaitable<void> wait_to_load_again();
  void end_adoption(const Failure* why);
  boost::asio::awaitable<void> live(WorkerRun& run, Clock::time_point began);
  void take_lost_end(WorkerRun& run);
  enum class Start { ready, over, crashed };
  boost::asio::awaitable<Start> until_ready(WorkerRun& run);
  boost::asio::awaitable<Failure> late_start(WorkerRun& run);
  boost::asio::awaitable<void> serve(WorkerRun& run);
  boost::asio::awaitable<Failure> end_stuck(WorkerRun& run);
  boost::asio::awaitable<Failure> end_unwell(WorkerRun& run);
  void close_link(WorkerRun& run, const Failure& why);
  boost::asio::awaitable<void> stop_run(WorkerRun& run, const std::string& reason);
  boost::asio::awaitable<void> rest(Clock::time_point until);
  void show_progress(const WorkerRun& run);
  std::string stop_reason() const;
  std::chrono::milliseconds stop_timeout() const;
  v1::Load load_message() const;
  Outcome<void> choose_runtime(WorkerRun& run);
  [[nodiscard]] std::optional<Failure> writable_interpreter(
      const v1::Permissions& permissions) const;
  Outcome<WorkerSandbox> choose_sandbox(const v1::Permissions& permissions,
                                        const spawner::Runtime& runtime);
  void take_metadata(v1::Loaded loaded);
  void enter(v1::PluginState state, std::optional<Failure> failure = {});
  void note(v1::LogLevel level, const std::string& text);

  SupervisionContext& context_;
  const std::string key_;
  const std::shared_ptr<logs::LogBook> log_book_;
  const std::shared_ptr<metrics::PluginMeter> meter_;
  ChangeSignal changed_;         // Wakes the coroutine.
  ChangeSignal settled_signal_;  // Wakes those who wait for it to rest.

  // Wanted; written by the setters, read by the coroutine.
  std::uint64_t wish_ = 1;     // Rises with every change that asks for action.
  std::uint64_t settled_ = 0;  // The newest wish that has come to rest.
  bool reload_wanted_ = false;
  std::string reload_reason_ = "reload";
  bool kill_wanted_ = false;
  WorkerRun* run_ = nullptr;  // While there is one.
  std::optional<LeftLaunch> left_;
  bool adopting_ = false;  // From take_over() until its worker has attached or is gone.
  bool stopped_by_admin_ = false;
  bool crash_untold_ = false;              // No step of its life has told of the last crash yet.
  std::optional<Failure> stayed_stopped_;  // How it ended, when the policy starts it no more.
  bool retry_load_ = false;
  int failed_launches_ = 0;  // In a row.
  bool shutting_down_ = false;
  bool ended_ = false;
  CrashLedger ledger_;

  PluginStatus status_;
};

}  // namespace supervisor::lifecycle
