#include <CLI/CLI.hpp>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {

Verb dump_stacks_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "dump-stacks", "Show where every Python thread of a plugin is, also when it hangs");
  const auto key = std::make_shared<std::string>();
  parser->add_option("KEY", *key, "Key of the plugin")->required();
  return {parser, [key](SupervisorClient& supervisor, Terminal& terminal) {
            const auto stacks = supervisor.dump_stacks(*key);
            if (!stacks) return terminal.fail(stacks.error());
            if (terminal.json()) {
              JsonWriter json('{');
              json.boolean("success", true).text("key", *key).text("stacks", stacks->text());
              terminal.print_json(std::move(json).finish());
            } else {
              terminal.print(safe_lines(stacks->text()) + "\n");
            }
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
