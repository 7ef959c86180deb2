// How the process of a WorkerRun ended, in words.
#include "supervisor/lifecycle/worker_run.h"

namespace supervisor::lifecycle {

bool WorkerRun::ended_without_fault() const {
  // Of start_worker.py.
  constexpr int exit_not_attached = 3;
  constexpr int exit_link_lost = 4;
  if (end_was_wanted_) return true;
  return exit_status_ && !exit_status_->signalled &&
         (exit_status_->code == 0 || exit_status_->code == exit_not_attached ||
          exit_status_->code == exit_link_lost);
}

Failure WorkerRun::death(const std::string& step) const {
  Failure failure;
  const std::string who = "The worker of plugin '" + plugin_ + "' ";
  if (init_failure_.starts_with("exec: ") && !runtime_.command.empty()) {
    failure =
        make_failure(v1::REASON_LAUNCH_FAILED, "exec",
                     who + "could not execute " + runtime_.command.front() + ": " +
                         init_failure_.substr(6) + ".",
                     "Check the interpreter that \"runtime\" in its plugin.json names.", plugin_);
  } else if (!init_failure_.empty()) {
    failure = make_failure(v1::REASON_LAUNCH_FAILED, "isolate",
                           who + "could not be set up: " + init_failure_ + ".", "", plugin_);
  } else if (limit_cause_) {
    failure = *limit_cause_;
    failure.set_step(step);
    if (exit_status_->signalled) failure.set_signal(sys::signal_name(exit_status_->code));
    if (!exit_status_->signalled) failure.set_exit_code(exit_status_->code);
  } else if (exit_status_->signalled) {
    const auto signal = sys::signal_name(exit_status_->code);
    failure =
        make_failure(v1::REASON_WORKER_KILLED_BY_SIGNAL, step, who + "was ended by " + signal + ".",
                     "See the plugin's log for what it did last.", plugin_);
    failure.set_signal(signal);
  } else {
    failure = make_failure(
        v1::REASON_WORKER_EXITED, step,
        who + "ended by itself with exit code " + std::to_string(exit_status_->code) + ".",
        "See the plugin's log for what it did last.", plugin_);
    failure.set_exit_code(exit_status_->code);
  }
  for (auto& text : last_texts()) failure.add_evidence(std::move(text));
  return failure;
}

std::vector<std::string> WorkerRun::last_texts() const {
  return log_book_->last_texts(generation_, logs::LogBook::evidence_lines);
}

}  // namespace supervisor::lifecycle
