// How a WorkerRun ends: asked, told, killed, and looked for.
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <set>

#include "supervisor/lifecycle/worker_run.h"
#include "supervisor/logs/structured_log.h"
#include "supervisor/sys/fault_point.h"
#include "supervisor/sys/process_stat.h"
#include "supervisor/sys/process_tree.h"
#include "supervisor/sys/unix_time.h"

namespace supervisor::lifecycle {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<bool> WorkerRun::exited_by(Clock::time_point deadline, bool unless_hurried) {
  while (!exited_ && !(unless_hurried && hurried_)) {
    const auto seen = changed_.version();
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) break;
  }
  co_return exited_;
}

void WorkerRun::begin_report(std::string reason, std::chrono::milliseconds budget) {
  stop_budget_.emplace(Clock::now(), budget);
  stop_report_ = {};
  stop_report_.set_reason(std::move(reason));
  stop_report_.set_time_unix_ms(sys::unix_us() / 1000);
}

asio::awaitable<void> WorkerRun::stop(std::string reason, std::chrono::milliseconds budget) {
  begin_report(std::move(reason), budget);
  if (attached_ && !link_lost_ && budget > 0ms) co_await ask_to_stop();
  if (!exited_ && !hurried_) co_await terminate();
  if (!exited_) co_await kill_all();
}

asio::awaitable<void> WorkerRun::kill(std::string reason) {
  begin_report(std::move(reason), 0ms);
  co_await kill_all();
}

// The worker lets calls under way finish for a while, cancels those that go on,
// and runs stop() of the plugin.
asio::awaitable<void> WorkerRun::ask_to_stop() {
  // Before it goes on, and answers them.
  const bool has_calls = link()->in_flight() > 0;
  const auto stat = worker_ ? sys::process_stat(worker_.pid()) : std::nullopt;
  if (stat && stat->state == 'T') {
    // It would not hear us.
    stop_report_.add_steps("sigcont");
    worker_.send_signal(SIGCONT);
  }
  if (has_calls) stop_report_.add_steps("drain");
  stop_report_.add_steps("stop");
  link()->stop(stop_report_.reason(), std::chrono::duration_cast<std::chrono::milliseconds>(
                                          stop_budget_->term_at - Clock::now()));
  sys::fault_point("stop.asked");
  co_await exited_by(stop_budget_->term_at, true);
}

asio::awaitable<void> WorkerRun::terminate() {
  stop_report_.set_forced(true);
  if (!worker_) co_return;
  stop_report_.add_steps("sigterm");
  worker_.send_signal(SIGTERM);
  // A stopped process takes SIGTERM only once it runs again.
  worker_.send_signal(SIGCONT);
  sys::fault_point("stop.sigterm");
  co_await exited_by(stop_budget_->kill_at, true);
}

asio::awaitable<void> WorkerRun::kill_all() {
  stop_report_.set_forced(true);
  stop_report_.add_steps("sigkill");
  // Not later than planned, and when it was hurried, not later than that allows.
  const auto gone_by = std::min(stop_budget_->gone_by, Clock::now() + StopBudget::kill_window);
  if (pid_namespace_) {
    // Nothing in the namespace outlives its init, and the init is seen to have
    // ended only after the others (pid_namespaces(7)).
    init_.send_signal(SIGKILL);
    sys::fault_point("stop.sigkill");
    co_await exited_by(gone_by);
    co_return;
  }
  // The init ends with its last descendant, and does the same from below.
  constexpr auto pause = 5ms;
  while (!exited_ && Clock::now() < gone_by) {
    if (worker_) worker_.send_signal_to_group(SIGKILL);
    sys::kill_descendants(init_.pid());
    co_await exited_by(std::min(Clock::now() + pause, gone_by));
  }
  sys::fault_point("stop.sigkill");
  // What it still has falls to us.
  if (!exited_) init_.send_signal(SIGKILL);
  co_await exited_by(gone_by + 20ms);
}

asio::awaitable<void> WorkerRun::finish() {
  if (!stop_budget_) stop_budget_.emplace(Clock::now(), 0ms);
  std::vector<pid_t> surviving;
  sys::fault_point("stop.exited");
  if (exited_) {
    // Another's child is reaped by whoever has become its parent; one that a
    // debugger has is left to it, and its status to the exit record.
    if (!adopted_) exit_status_ = init_.reap();
  } else {
    // Killed, and yet there: it hangs in the kernel, or a debugger holds it. It
    // is reaped with the orphans when it ends.
    exit_watch_->close();
    surviving = sys::descendants_of(init_.pid());
    surviving.push_back(init_.pid());
  }
  sys::fault_point("stop.reaped");
  const auto record = ExitRecord::read(runtime_dir_->exit_record_path());
  init_failure_ = record.failed_step;
  if (record.status) exit_status_ = record.status;
  // An init blocks every signal and writes before it ends: it was killed.
  if (!exit_status_) exit_status_ = sys::ExitStatus{.signalled = true, .code = SIGKILL};
  limit_cause_ = limits_->cause(exit_status_->signalled, exit_status_->code);
  int orphans = co_await end_orphans(surviving);
  // Whoever has wiped out its mark is in the launch's groups all the same.
  orphans += limits_->kill_all();
  if (!surviving.empty()) tell_survivors(surviving);
  const bool died = exit_status_->signalled || exit_status_->code != 0;
  if (!stop_report_.reason().empty() && !stop_report_.forced() && died) {
    stop_report_.add_steps("died");
    say(v1::LOG_LEVEL_WARNING,
        "ended by " +
            (exit_status_->signalled
                 ? sys::signal_name(exit_status_->code)
                 : "itself with exit code " + std::to_string(exit_status_->code)) +
            " while it was being stopped");
  }
  // What was printed last is in the pipes still. A process that escaped with
  // the write end open must not hold us.
  const auto deadline = Clock::now() + StopBudget::last_lines;
  while (open_pipes_ > 0) {
    const auto seen = changed_.version();
    const bool woken = co_await changed_.changed_since(seen, deadline);
    if (!woken) break;
  }
  if (out_) out_->close();
  if (err_) err_->close();
  while (open_pipes_ > 0) co_await changed_.changed_since(changed_.version());
  release_runtime();  // A start that came to nothing may have taken the spare.
  stop_report_.set_ms(static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - stop_budget_->began)
          .count()));
  boost::json::array steps;
  for (const auto& step : stop_report_.steps()) steps.emplace_back(step);
  logs::log_event(spdlog::level::info, "worker.ended",
                  {{"plugin", plugin_},
                   {"generation", generation_},
                   {"reason", stop_report_.reason()},
                   {"steps", boost::json::serialize(steps)},
                   {"orphans", orphans},
                   {"ms", stop_report_.ms()}});
}

// Ends what the launch has left outside of a PID namespace: inside, the end of
// the init was the kernel's word that all are gone. Returns how many there
// were; what does not end is added to `surviving`.
asio::awaitable<int> WorkerRun::end_orphans(std::vector<pid_t>& surviving) {
  if (pid_namespace_) co_return 0;
  // An init that was killed leaves its worker to us.
  if (worker_) {
    worker_.send_signal_to_group(SIGKILL);
    sys::kill_descendants(worker_.pid());
    worker_.send_signal(SIGKILL);
  }
  constexpr auto pause = 5ms;
  std::set<int> ended;
  const auto deadline = std::max(stop_budget_->gone_by, Clock::now() + 100ms);
  for (;;) {
    // Those of a worker that was taken over fall to whoever is their parent now.
    const auto found =
        adopted_ ? context_.orphans.end_anywhere(launch_mark_) : context_.orphans.end(launch_mark_);
    ended.insert(found.begin(), found.end());
    if (found.empty()) break;
    if (Clock::now() >= deadline) {
      surviving.insert(surviving.end(), found.begin(), found.end());
      break;
    }
    co_await changed_.changed_since(changed_.version(), Clock::now() + pause);
  }
  if (!ended.empty()) stop_report_.add_steps("orphans");
  co_return static_cast<int>(ended.size());
}

// The one thing a stop cannot do is end a process that the kernel does not.
void WorkerRun::tell_survivors(const std::vector<pid_t>& surviving) {
  stop_report_.set_forced(true);
  stop_report_.add_steps("survivors");
  boost::json::array shown;
  std::string text;
  for (const pid_t pid : surviving) {
    const auto stat = sys::process_stat(pid);
    const std::string state = stat ? std::string(1, stat->state) : "gone";
    shown.emplace_back(std::to_string(pid) + " " + state);
    text += " " + std::to_string(pid) + " (" + state + ")";
  }
  say(v1::LOG_LEVEL_ERROR, "was killed, but these processes have not ended:" + text +
                               ". They hang in the kernel (state D), or a debugger holds them.");
  logs::log_event(spdlog::level::critical, "worker.survives",
                  {{"plugin", plugin_},
                   {"generation", generation_},
                   {"processes", boost::json::serialize(shown)}});
}

}  // namespace supervisor::lifecycle
