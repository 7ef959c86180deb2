#include "supervisor/lifecycle/plugin_failures.h"

#include <fmt/format.h>

#include <sstream>

#include "supervisor/logs/printable_text.h"

namespace supervisor::lifecycle {
namespace {

constexpr int max_evidence_lines = 60;
constexpr std::size_t max_name = 200;

std::string of_plugin(const std::string& key) { return "plugin '" + key + "'"; }
std::string the_plugin(const std::string& key) { return "Plugin '" + key + "'"; }

// "20", "0.5"
std::string seconds(std::chrono::milliseconds time) {
  std::ostringstream text;
  text << static_cast<double>(time.count()) / 1000.0;
  return text.str();
}

const char* state_text(char state) {
  switch (state) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "in the kernel, uninterruptible";
    case 'T':
      return "stopped";
    case 't':
      return "held by a debugger";
    case 'Z':
      return "ended";
    default:
      return "unknown";
  }
}

const char* silence_hint(char state) {
  switch (state) {
    case 'T':
      return "Something stops it (SIGSTOP) again when it is told to go on: look at what the plugin "
             "and its tools do with signals.";
    case 't':
      return "A debugger holds it. To debug a plugin: --silent-after 0.";
    case 'D':
      return "It hangs in the kernel: look at the disks and network file systems that it uses.";
    default:
      return "The plugin may have closed or replaced descriptors that are not its own, or get no "
             "processor time; see its log.";
  }
}

void add_stacks(Failure& failure, const std::string& stacks) {
  std::istringstream lines(stacks);
  for (std::string line; failure.evidence_size() < max_evidence_lines && std::getline(lines, line);)
    failure.add_evidence(line);
}

}  // namespace

Failure quarantine_failure(const std::string& key, const CrashLedger& ledger,
                           const RestartPolicy& policy, const std::optional<Failure>& last_crash) {
  Failure failure = make_failure(
      v1::REASON_QUARANTINED, "restart",
      the_plugin(key) + " crashed " + std::to_string(ledger.recent.size()) + " times within " +
          seconds(policy.period) + " s and is not started again.",
      "When the cause is gone: pluginctl unquarantine " + key + ", or disable and enable it.", key);
  if (last_crash) {
    failure.set_message(failure.message() + " The last time: " + last_crash->message());
    failure.mutable_evidence()->CopyFrom(last_crash->evidence());
    failure.set_signal(last_crash->signal());
    failure.set_exit_code(last_crash->exit_code());
  }
  return failure;
}

Failure attach_timeout_failure(const std::string& key, std::chrono::milliseconds patience) {
  return make_failure(
      v1::REASON_ATTACH_TIMEOUT, "attach",
      "The worker of " + of_plugin(key) + " did not attach within " + seconds(patience) + " s.",
      "The machine may be overloaded; see the plugin's log.", key);
}

Failure load_timeout_failure(const std::string& key, std::chrono::milliseconds patience,
                             const std::string& stacks) {
  // The function of loader.py that imports the plugin's code.
  const bool importing = stacks.find(" in import_plugin_class") != std::string::npos;
  const char* step = stacks.empty() ? "load" : importing ? "import" : "construct";
  auto failure = make_failure(
      v1::REASON_LOAD_TIMEOUT, step,
      the_plugin(key) + " did not load within " + seconds(patience) + " s.",
      "Its import or constructor takes too long or waits for something; see the stacks and its "
      "log.",
      key);
  add_stacks(failure, stacks);
  return failure;
}

Failure call_stuck_failure(const std::string& key, const std::string& call,
                           std::chrono::milliseconds since, const std::string& stacks) {
  auto failure = make_failure(
      v1::REASON_CALL_STUCK, "run",
      the_plugin(key) + " went on with '" + logs::printable_text(call, max_name) + "' for " +
          std::to_string(since.count() / 1000) + " s after it was cancelled; its worker was ended.",
      "Let the action look at context[\"cancelled\"](), or catch no BaseException; see the stacks.",
      key);
  add_stacks(failure, stacks);
  return failure;
}

Failure worker_wedged_failure(const std::string& key, std::chrono::milliseconds limit,
                              const std::string& stacks) {
  auto failure = make_failure(
      v1::REASON_WORKER_WEDGED, "run",
      "The interpreter of " + of_plugin(key) + " was held by C code for " + seconds(limit) +
          " s; its worker was ended.",
      "Code that keeps the interpreter to itself (a long regular expression, a C extension, "
      "ctypes.PyDLL) stops all of the plugin; see the stacks. If it is meant to: --wedged-after.",
      key);
  add_stacks(failure, stacks);
  return failure;
}

Failure worker_silent_failure(const std::string& key, std::chrono::milliseconds limit,
                              const SilentProcess& process) {
  const std::string state = state_text(process.state);
  const auto message =
      process.state == 'T'
          ? "The process of " + of_plugin(key) +
                " was stopped (SIGSTOP) and did not go on when it was told to (SIGCONT); after " +
                seconds(limit) + " s its worker was ended."
          : "The worker of " + of_plugin(key) + " has not answered for " + seconds(limit) +
                " s although its process is there (" + state + "); it was ended.";
  auto failure =
      make_failure(v1::REASON_WORKER_SILENT, "run", message, silence_hint(process.state), key);
  auto evidence = fmt::format("/proc/{}: {} ({}), {:.2f} s of processor time since it fell silent",
                              process.pid, process.state, state, process.cpu_seconds);
  if (!process.sleeps_in.empty()) evidence += ", waits in " + process.sleeps_in;
  failure.add_evidence(std::move(evidence));
  for (const auto& line : process.last_texts) failure.add_evidence(line);
  return failure;
}

Failure link_lost_failure(const std::string& key, Failure death, const std::string& cut_because) {
  death.set_reason(v1::REASON_LINK_LOST);
  if (!cut_because.empty()) {
    death.set_message("The link to the worker of " + of_plugin(key) + " was cut: " + cut_because +
                      ".");
    death.set_hint(
        "The plugin, or a library of its, speaks over the worker's own link: do not run "
        "it, or ask its author.");
    return death;
  }
  death.set_message("The worker of " + of_plugin(key) +
                    " closed its link to the supervisor and was ended.");
  return death;
}

Failure call_cancelled_failure(const std::string& key, const std::string& reason) {
  return make_failure(v1::REASON_CANCELLED, "run",
                      the_plugin(key) + " was stopped (" + reason + ") before it answered.", "",
                      key);
}

Failure broken_supervision_failure(const std::string& key, const std::string& error) {
  return make_failure(v1::REASON_INTERNAL, "supervise",
                      "The supervision of " + of_plugin(key) + " broke: " + error + ".",
                      "Restart the supervisor, and report this as a fault of it.", key);
}

Failure no_worker_failure(const std::string& key) {
  return make_failure(v1::REASON_NOT_FOUND, "stacks", the_plugin(key) + " has no worker.",
                      "See pluginctl why " + key + ".", key);
}

Failure worker_ended_failure(const std::string& key) {
  return make_failure(v1::REASON_NOT_FOUND, "stacks",
                      "The worker of " + of_plugin(key) + " ended meanwhile.",
                      "See pluginctl why " + key + ".", key);
}

Failure stacks_timeout_failure(const std::string& key, bool process_is_stopped) {
  return make_failure(v1::REASON_DEADLINE_EXCEEDED, "stacks",
                      "The worker of " + of_plugin(key) + " did not tell its stacks in time.",
                      process_is_stopped
                          ? "Its process is stopped (SIGSTOP): send it SIGCONT, or kill it."
                          : "It may not get any processor time; try again, or kill it.",
                      key);
}

}  // namespace supervisor::lifecycle
