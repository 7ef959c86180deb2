#include <CLI/CLI.hpp>

#include "supervisor/cli/job_view.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

struct JobsOptions {
  std::string key;
  bool unfinished = false;
  std::uint32_t limit = 20;
};

Table jobs_table(const v1::ListJobsResponse& response) {
  Table table({{"ID", Table::Align::left, 64},
               {"PLUGIN", Table::Align::left, 128},
               {"ACTION"},
               {"KIND"},
               {"STATE"},
               {"BEGAN"},
               {"TOOK", Table::Align::right},
               {"BY"},
               {"REASON"},
               {"PROGRESS"}});
  for (const v1::Job& job : response.jobs())
    table.add_row({{job.id()},
                   {job.plugin()},
                   {job.action()},
                   {lower_without_prefix(v1::JobKind_Name(job.kind()), "JOB_KIND_")},
                   job_state_cell(job.state()),
                   {utc_time(job.created_unix_ms() * 1000)},
                   {duration_text(job)},
                   {job.requested_by()},
                   {job.has_failure() ? reason_code(job.failure().reason()) : std::string()},
                   {progress_text(job)}});
  return table;
}

}  // namespace

Verb jobs_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("jobs", "List runs of actions, newest first: who, what, when, how long");
  const auto options = std::make_shared<JobsOptions>();
  parser->add_option("KEY", options->key, "Only of this plugin");
  parser->add_flag("--unfinished", options->unfinished, "Only those that have not ended");
  parser->add_option("--limit", options->limit, "How many at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("NUMBER");
  return {parser, [options](SupervisorClient& supervisor, Terminal& terminal) {
            v1::ListJobsRequest request;
            request.set_key(options->key);
            request.set_unfinished(options->unfinished);
            request.set_limit(options->limit);
            const auto jobs = supervisor.jobs(request);
            if (!jobs) return terminal.fail(jobs.error());
            if (!terminal.json()) {
              terminal.print(jobs_table(*jobs).render(terminal.colours()));
              return ExitCode::ok;
            }
            JsonWriter rows('[');
            for (const v1::Job& job : jobs->jobs()) rows.element(job_json(job));
            JsonWriter json('{');
            json.raw("jobs", std::move(rows).finish());
            terminal.print_json(std::move(json).finish());
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
