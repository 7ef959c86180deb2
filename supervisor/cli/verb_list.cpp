#include <CLI/CLI.hpp>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

Table plugins_table(const v1::ListPluginsResponse& response) {
  Table table({{"KEY", Table::Align::left, 128},
               {"NAME"},
               {"VERSION", Table::Align::left, 16},
               {"ENABLED"},
               {"STATE"},
               {"REASON"},
               {"PID", Table::Align::right},
               {"RESTARTS", Table::Align::right},
               {"LAST CRASH"}});
  for (const v1::Plugin& plugin : response.plugins()) {
    const v1::Worker& worker = plugin.worker();
    table.add_row({{plugin.key()},
                   {plugin.metadata().name()},
                   {plugin.metadata().version()},
                   {plugin.enabled() ? "yes" : "no"},
                   state_cell(worker.state()),
                   {reason_word(plugin)},
                   {worker.pid() == 0 ? "" : std::to_string(worker.pid())},
                   {std::to_string(worker.restarts())},
                   {crash_word(worker)}});
  }
  return table;
}

}  // namespace

Verb list_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand("list", "List the plugins and what state they are in");
  return {parser, [](SupervisorClient& supervisor, Terminal& terminal) {
            const auto plugins = supervisor.list();
            if (!plugins) return terminal.fail(plugins.error());
            if (!terminal.json()) {
              terminal.print(plugins_table(*plugins).render(terminal.colours()));
              return ExitCode::ok;
            }
            JsonWriter rows('[');
            for (const v1::Plugin& plugin : plugins->plugins()) rows.element(plugin_json(plugin));
            JsonWriter json('{');
            json.raw("plugins", std::move(rows).finish());
            terminal.print_json(std::move(json).finish());
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
