#include <CLI/CLI.hpp>
#include <iostream>

#include "supervisor/cli/json_input.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/verb.h"
#include "supervisor/sys/json_slice.h"

namespace supervisor::cli {
namespace {

struct SettingsOptions {
  std::string key;
  std::vector<std::string> changes;
  std::string replacement;
};

// The settings after `changes` of the form name=value; a value that is JSON is
// taken as such, any other as a string.
Outcome<std::string> changed(std::string settings, const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    const auto equals = change.find('=');
    if (equals == std::string::npos || equals == 0)
      return make_failure(v1::REASON_INVALID_REQUEST, "command line",
                          "--set: \"" + change + "\" is not of the form name=value.");
    const std::string value = change.substr(equals + 1);
    settings = with_member(settings, change.substr(0, equals),
                           sys::json_error(value).empty() ? value : json_quote(value));
  }
  return settings;
}

void print_settings(Terminal& terminal, const std::string& settings,
                    const google::protobuf::RepeatedPtrField<std::string>& warnings) {
  for (const std::string& warning : warnings) terminal.warn(warning);
  const std::string stored = settings.empty() ? "{}" : settings;
  if (!terminal.json()) {
    terminal.print_json(stored);
    return;
  }
  JsonWriter said('[');
  for (const std::string& warning : warnings) said.element(json_quote(warning));
  JsonWriter json('{');
  json.boolean("success", true).raw("settings", stored).raw("warnings", std::move(said).finish());
  terminal.print_json(std::move(json).finish());
}

ExitCode settings(SupervisorClient& supervisor, Terminal& terminal,
                  const SettingsOptions& options) {
  std::string wanted;
  if (options.replacement.empty()) {
    const auto plugin = supervisor.get(options.key);
    if (!plugin) return terminal.fail(plugin.error());
    const std::string& stored = plugin->settings_json();
    if (options.changes.empty()) {
      print_settings(terminal, stored, {});
      return ExitCode::ok;
    }
    const auto result = changed(stored.empty() ? "{}" : stored, options.changes);
    if (!result) return terminal.fail(result.error());
    wanted = *result;
  } else {
    const auto replacement = read_json_object("--replace", options.replacement, std::cin);
    if (!replacement) return terminal.fail(replacement.error());
    wanted = *replacement;
  }
  const auto response = supervisor.set_settings(options.key, wanted);
  if (!response) return terminal.fail(response.error());
  print_settings(terminal, response->settings_json(), response->warnings());
  return ExitCode::ok;
}

}  // namespace

Verb settings_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand("settings", "Show or change the settings of a plugin");
  const auto options = std::make_shared<SettingsOptions>();
  parser->add_option("KEY", options->key, "Key of the plugin")->required();
  auto* changes =
      parser
          ->add_option("--set", options->changes,
                       "Change single settings; a value that is not JSON is taken as a string. "
                       "The stored object is read, changed and written back")
          ->type_name("NAME=VALUE ...");
  parser
      ->add_option("--replace", options->replacement,
                   "Replace all settings: a JSON object, @FILE or - for stdin")
      ->type_name("JSON|@FILE|-")
      ->excludes(changes);
  return {parser, [options](SupervisorClient& supervisor, Terminal& terminal) {
            return settings(supervisor, terminal, *options);
          }};
}

}  // namespace supervisor::cli
