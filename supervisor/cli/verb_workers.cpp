#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

std::string cpu_text(const v1::Worker& worker) {
  if (worker.pid() == 0) return {};
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f s", worker.cpu_seconds());
  return text.data();
}

Table workers_table(const v1::ListWorkersResponse& response) {
  Table table({{"KEY", Table::Align::left, 128},
               {"STATE"},
               {"REASON"},
               {"PID", Table::Align::right},
               {"STARTED"},
               {"GENERATION", Table::Align::right},
               {"RESTARTS", Table::Align::right},
               {"IN FLIGHT", Table::Align::right},
               {"MEMORY", Table::Align::right},
               {"CPU", Table::Align::right}});
  for (const auto& row : response.rows()) {
    const v1::Worker& worker = row.worker();
    const bool alive = worker.pid() != 0;
    table.add_row({{row.key()},
                   state_cell(worker.state()),
                   {reason_word(worker)},
                   {alive ? std::to_string(worker.pid()) : ""},
                   {utc_time(worker.started_at_unix_ms() * 1000)},
                   {std::to_string(worker.generation())},
                   {std::to_string(worker.restarts())},
                   {std::to_string(worker.in_flight())},
                   {alive ? memory_text(worker.memory_bytes()) : ""},
                   {cpu_text(worker)}});
  }
  return table;
}

}  // namespace

Verb workers_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand("workers", "List the worker processes of the plugins");
  return {parser, [](SupervisorClient& supervisor, Terminal& terminal) {
            const auto workers = supervisor.workers();
            if (!workers) return terminal.fail(workers.error());
            if (!terminal.json()) {
              terminal.print(workers_table(*workers).render(terminal.colours()));
              return ExitCode::ok;
            }
            JsonWriter rows('[');
            for (const auto& row : workers->rows())
              rows.element(with_member(worker_json(row.worker()), "key", json_quote(row.key())));
            JsonWriter json('{');
            json.raw("workers", std::move(rows).finish());
            terminal.print_json(std::move(json).finish());
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
