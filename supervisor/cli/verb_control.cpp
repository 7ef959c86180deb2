// start, stop, restart, kill and unquarantine: one call, five names.
#include <CLI/CLI.hpp>

#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/settling.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

// What is wrong with what came of it, if anything.
std::optional<Failure> shortfall(const v1::Plugin& plugin, v1::ControlAction action) {
  if (action != v1::CONTROL_ACTION_STOP) return unsettled(plugin, true);
  if (plugin.worker().pid() == 0 && plugin.worker().state() != v1::PLUGIN_STATE_STOPPING)
    return std::nullopt;
  return make_failure(
      v1::REASON_DEADLINE_EXCEEDED, "stop", "\"" + plugin.key() + "\" has not ended yet.",
      "It is ended by force when its grace is over; see pluginctl show " + plugin.key() + ".",
      plugin.key());
}

std::string sentence(const v1::Plugin& plugin) {
  const v1::Worker& worker = plugin.worker();
  if (worker.pid() != 0)
    return safe_line(plugin.key()) + " runs as process " + std::to_string(worker.pid());
  std::string text = safe_line(plugin.key()) + " is " + state_name(worker.state());
  if (!worker.has_last_stop()) return text;
  const v1::StopReport& stop = worker.last_stop();
  return text + (stop.forced() ? "; it had to be ended by force" : "; it ended by itself") +
         " within " + std::to_string(stop.ms()) + " ms";
}

Verb control_verb(CLI::App& root, const std::string& name, const std::string& what,
                  v1::ControlAction action) {
  CLI::App* parser = root.add_subcommand(name, what);
  const auto key = std::make_shared<std::string>();
  const auto wait = std::make_shared<std::chrono::milliseconds>(0);
  parser->add_option("KEY", *key, "Key of the plugin")->required();
  add_duration_option(*parser, "--timeout", wait,
                      "How long to wait for it (default: as the supervisor is configured)");
  return {parser, [key, wait, action](SupervisorClient& supervisor, Terminal& terminal) {
            const auto plugin = supervisor.control(*key, action, *wait);
            if (!plugin) return terminal.fail(plugin.error());
            const auto failure = shortfall(*plugin, action);
            if (terminal.json()) {
              const std::string json = failure ? error_json(*failure) : R"({"success": true})";
              terminal.print_json(with_member(json, "plugin", plugin_json(*plugin)));
            }
            if (failure) {
              terminal.explain(*failure);
              return exit_code(failure->reason());
            }
            if (!terminal.json()) terminal.print(sentence(*plugin) + "\n");
            return ExitCode::ok;
          }};
}

}  // namespace

Verb start_verb(CLI::App& root) {
  return control_verb(root, "start",
                      "Start a plugin that was stopped, did not load, waits or is quarantined",
                      v1::CONTROL_ACTION_START);
}
Verb stop_verb(CLI::App& root) {
  return control_verb(root, "stop",
                      "Stop a plugin until it is started, restarted, reloaded or enabled again, "
                      "or the supervisor is",
                      v1::CONTROL_ACTION_STOP);
}
Verb restart_verb(CLI::App& root) {
  return control_verb(root, "restart", "Stop a plugin and start it with fresh code",
                      v1::CONTROL_ACTION_RESTART);
}
Verb kill_verb(CLI::App& root) {
  return control_verb(root, "kill",
                      "End a plugin's worker at once, without its stop(), and start another",
                      v1::CONTROL_ACTION_KILL);
}
Verb unquarantine_verb(CLI::App& root) {
  return control_verb(root, "unquarantine", "Let a plugin start again that crashed too often",
                      v1::CONTROL_ACTION_UNQUARANTINE);
}

}  // namespace supervisor::cli
