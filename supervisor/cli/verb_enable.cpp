// enable and disable: one call, two names.
#include <CLI/CLI.hpp>

#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/settling.h"
#include "supervisor/cli/verb.h"
#include "supervisor/sandbox/permissions.h"

namespace supervisor::cli {
namespace {

std::string outcome_json(const v1::Plugin& plugin, const std::optional<Failure>& failure) {
  std::string json = failure ? error_json(*failure) : R"({"success": true})";
  json = with_member(json, "enabled", plugin.enabled() ? "true" : "false");
  json = with_member(json, "ever_enabled", plugin.ever_enabled() ? "true" : "false");
  // The key of the plugin in an error gives way to the plugin itself.
  return with_member(json, "plugin", plugin_json(plugin));
}

std::string sentence(const v1::Plugin& plugin) {
  if (!plugin.enabled()) return safe_line(plugin.key()) + " is disabled; no process of it is left";
  return safe_line(plugin.key()) + " is enabled and runs as process " +
         std::to_string(plugin.worker().pid());
}

std::string waiting_text(const v1::Plugin& plugin) {
  std::string text;
  for (const auto& term : sandbox::terms(plugin.permissions().waiting()))
    text += (text.empty() ? "" : ", ") + safe_line(term.text());
  return text;
}

Verb switch_verb(CLI::App& root, bool enabled) {
  CLI::App* parser =
      enabled ? root.add_subcommand("enable", "Enable a plugin and wait until it runs")
              : root.add_subcommand("disable", "Disable a plugin and wait until it has ended");
  const auto key = std::make_shared<std::string>();
  const auto grant = std::make_shared<bool>(false);
  const auto wait = std::make_shared<std::chrono::milliseconds>(0);
  parser->add_option("KEY", *key, "Key of the plugin")->required();
  if (enabled) parser->add_flag("--grant", *grant, "Grant it all that it asks for, first");
  add_duration_option(*parser, "--timeout", wait,
                      "How long to wait for it (default: as the supervisor is configured)");
  return {parser, [key, grant, wait, enabled](SupervisorClient& supervisor, Terminal& terminal) {
            const auto plugin = supervisor.set_enabled(*key, enabled, *grant, *wait);
            if (!plugin) return terminal.fail(plugin.error());
            const std::optional<Failure> failure = unsettled(*plugin, enabled);
            if (terminal.json()) terminal.print_json(outcome_json(*plugin, failure));
            if (failure) {
              terminal.explain(*failure);
              return exit_code(failure->reason());
            }
            if (!terminal.json()) terminal.print(sentence(*plugin) + "\n");
            if (enabled && plugin->permissions().has_waiting())
              terminal.warn(
                  "it asks for more than it has been granted, see pluginctl permissions "
                  "show " +
                  safe_line(*key) + ": " + waiting_text(*plugin));
            return ExitCode::ok;
          }};
}

}  // namespace

Verb enable_verb(CLI::App& root) { return switch_verb(root, true); }
Verb disable_verb(CLI::App& root) { return switch_verb(root, false); }

}  // namespace supervisor::cli
