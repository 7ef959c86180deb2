#include <CLI/CLI.hpp>

#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/job_view.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

void print_line(Terminal& terminal, const std::string& name, const std::string& text) {
  if (text.empty()) return;
  std::string padded = name + ":";
  padded.resize(14, ' ');
  terminal.print(padded + safe_line(text) + "\n");
}

void print_job(Terminal& terminal, const v1::Job& job) {
  print_line(terminal, "id", job.id());
  print_line(terminal, "plugin", job.plugin());
  print_line(terminal, "action", job.action());
  print_line(terminal, "kind", lower_without_prefix(v1::JobKind_Name(job.kind()), "JOB_KIND_"));
  print_line(terminal, "state", job_state_name(job.state()));
  print_line(terminal, "requested by", job.requested_by());
  print_line(terminal, "began", utc_time(job.created_unix_ms() * 1000));
  print_line(terminal, "ended", utc_time(job.ended_unix_ms() * 1000));
  print_line(terminal, "took", duration_text(job));
  print_line(terminal, "progress", progress_text(job));
  if (job.has_failure()) {
    print_line(terminal, "why", reason_code(job.failure().reason()));
    print_line(terminal, "message", job.failure().message());
    print_line(terminal, "hint", job.failure().hint());
    for (const auto& line : job.failure().evidence()) terminal.print("  " + safe_line(line) + "\n");
  }
  if (!job.result_json().empty()) {
    terminal.print("result:\n");
    terminal.print_json(job.result_json());
  }
}

}  // namespace

Verb job_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("job", "Show one run of an action: its progress, result or failure");
  const auto id = std::make_shared<std::string>();
  const auto wait = std::make_shared<std::chrono::milliseconds>(0);
  parser->add_option("ID", *id, "As run --background and jobs print it")->required();
  add_duration_option(*parser, "--wait", wait, "Wait so long for its end (default: do not)");
  return {parser, [id, wait](SupervisorClient& supervisor, Terminal& terminal) {
            const auto job = supervisor.job(*id, *wait);
            if (!job) return terminal.fail(job.error());
            if (terminal.json()) {
              terminal.print_json(job_json(*job));
            } else {
              print_job(terminal, *job);
            }
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
