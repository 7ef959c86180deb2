#include <CLI/CLI.hpp>
#include <iostream>

#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/job_view.h"
#include "supervisor/cli/json_input.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

struct RunOptions {
  std::string key;
  std::string action;
  std::string params = "{}";
  bool background = false;
};

}  // namespace

Verb run_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand("run", "Run an action of a plugin and print its result");
  const auto options = std::make_shared<RunOptions>();
  const auto deadline = std::make_shared<std::chrono::milliseconds>(0);
  parser->add_option("KEY", options->key, "Key of the plugin")->required();
  parser->add_option("ACTION", options->action, "Id of the action")->required();
  parser
      ->add_option("--params", options->params,
                   "Parameters: a JSON object, @FILE to read it from a file, or - from stdin")
      ->type_name("JSON|@FILE|-");
  add_duration_option(*parser, "--timeout", deadline,
                      "Give up after this time (default: as the supervisor is configured; in "
                      "the background never)");
  parser->add_flag("--background", options->background,
                   "Begin a job and print its id at once; see pluginctl job ID");
  return {parser, [options, deadline](SupervisorClient& supervisor, Terminal& terminal) {
            const auto params = read_json_object("--params", options->params, std::cin);
            if (!params) return terminal.fail(params.error());
            if (options->background) {
              const auto job =
                  supervisor.start_job(options->key, options->action, *params, *deadline);
              if (!job) return terminal.fail(job.error());
              if (terminal.json()) {
                terminal.print_json(job_json(*job));
              } else {
                terminal.print(job->id() + "\n");
              }
              return ExitCode::ok;
            }
            const auto response = supervisor.run(options->key, options->action, *params, *deadline);
            if (!response) return terminal.fail(response.error());
            terminal.print_json(response->result_json());
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
