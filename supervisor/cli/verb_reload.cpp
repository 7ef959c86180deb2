#include <CLI/CLI.hpp>

#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {

Verb reload_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "reload", "Read the plugin directory again and restart the enabled plugins, or one of them");
  const auto key = std::make_shared<std::string>();
  const auto wait = std::make_shared<std::chrono::milliseconds>(0);
  parser->add_option("KEY", *key, "Key of the one plugin to restart (default: all)");
  add_duration_option(*parser, "--timeout", wait,
                      "How long to wait for it (default: as the supervisor is configured)");
  return {parser, [key, wait](SupervisorClient& supervisor, Terminal& terminal) {
            const auto response = supervisor.reload(*key, *wait);
            if (!response) return terminal.fail(response.error());
            if (terminal.json()) {
              JsonWriter json('{');
              json.boolean("success", true).number("count", response->count());
              terminal.print_json(std::move(json).finish());
            } else {
              terminal.print("reloaded; " + std::to_string(response->count()) +
                             (response->count() == 1 ? " plugin is" : " plugins are") + " known\n");
            }
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
