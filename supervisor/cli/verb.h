// The verbs of pluginctl, one file each. A verb declares its options on the
// command line's parser and returns what is to be done when it was given.
#pragma once

#include <functional>

#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/supervisor_client.h"
#include "supervisor/cli/terminal.h"

namespace CLI {
class App;
}

namespace supervisor::cli {

struct Verb {
  CLI::App* parser;  // Owned by the root parser.
  std::function<ExitCode(SupervisorClient&, Terminal&)> run;
  std::function<ExitCode(Terminal&)> run_alone = {};  // Instead, without a supervisor.
};

Verb list_verb(CLI::App& root);
Verb show_verb(CLI::App& root);
Verb enable_verb(CLI::App& root);
Verb disable_verb(CLI::App& root);
Verb run_verb(CLI::App& root);
Verb reload_verb(CLI::App& root);
Verb settings_verb(CLI::App& root);
Verb logs_verb(CLI::App& root);
Verb workers_verb(CLI::App& root);
Verb start_verb(CLI::App& root);
Verb stop_verb(CLI::App& root);
Verb restart_verb(CLI::App& root);
Verb kill_verb(CLI::App& root);
Verb unquarantine_verb(CLI::App& root);
Verb why_verb(CLI::App& root);
Verb dump_stacks_verb(CLI::App& root);
Verb limits_verb(CLI::App& root);
Verb permissions_verb(CLI::App& root);
Verb doctor_verb(CLI::App& root);
Verb jobs_verb(CLI::App& root);
Verb job_verb(CLI::App& root);
Verb cancel_verb(CLI::App& root);
Verb audit_verb(CLI::App& root);
Verb top_verb(CLI::App& root);
Verb completion_verb(CLI::App& root);
/// What the completions ask; not for people.
Verb candidates_verb(CLI::App& root);
Verb man_verb(CLI::App& root);

}  // namespace supervisor::cli
