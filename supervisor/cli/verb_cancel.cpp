#include <CLI/CLI.hpp>

#include "supervisor/cli/job_view.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {

Verb cancel_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "cancel", "Give up a run; one that does not let go in time ends its plugin's worker");
  const auto id = std::make_shared<std::string>();
  parser->add_option("ID", *id, "As run --background and jobs print it")->required();
  return {parser, [id](SupervisorClient& supervisor, Terminal& terminal) {
            const auto job = supervisor.cancel(*id);
            if (!job) return terminal.fail(job.error());
            if (terminal.json()) {
              terminal.print_json(job_json(*job));
            } else {
              terminal.print(job->id() + " " + job_state_name(job->state()) + "\n");
            }
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
