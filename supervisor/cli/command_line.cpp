#include "supervisor/cli/command_line.h"

#include "supervisor/cli/destination.h"
#include "supervisor/cli/socket_path.h"

namespace supervisor::cli {
namespace {

std::string footer() {
  return std::string("The supervisor's socket is --socket, else $") + socket_variable + ", else\n" +
         local_socket + " below the current directory if it is there, else\n" + system_socket +
         ".\n\n"
         "With --json every verb writes one JSON value on stdout (logs: one per line),\n"
         "an error too: {\"success\": false, \"error\": text, \"code\": reason, ...}.\n\n" +
         exit_code_help();
}

struct Group {
  std::string name;  // Empty: not shown.
  std::vector<Verb (*)(CLI::App&)> verbs;
};

const std::vector<Group> groups = {
    {"Plugins",
     {list_verb, show_verb, enable_verb, disable_verb, settings_verb, permissions_verb, reload_verb,
      audit_verb}},
    {"Runs of actions", {run_verb, jobs_verb, job_verb, cancel_verb}},
    {"Workers",
     {top_verb, workers_verb, why_verb, logs_verb, dump_stacks_verb, start_verb, stop_verb,
      restart_verb, kill_verb, unquarantine_verb, limits_verb}},
    {"This host and this program", {doctor_verb, completion_verb, man_verb}},
    {"", {candidates_verb}},
};

// "KEY REQUIRED" rather than "KEY TEXT REQUIRED".
void leave_out_types_of_positionals(CLI::App& parser) {
  for (CLI::Option* option : parser.get_options([](CLI::Option*) { return true; }))
    if (option->get_positional() && option->get_type_name() == "TEXT") option->type_name("");
}

}  // namespace

CommandLine::CommandLine() : root("Control the plugins of a plugin supervisor.", "pluginctl") {
  add_destination_options(root);
  root.add_flag("--json", json, "Write JSON for programs");
  root.set_version_flag("--version", std::string("pluginctl ") + PLUGIN_SUPERVISOR_VERSION,
                        "Print the version and exit");
  root.fallthrough();
  root.require_subcommand(1);
  root.get_formatter()->label("SUBCOMMAND", "VERB");
  root.footer(footer());
  for (const Group& group : groups)
    for (const auto make : group.verbs) {
      verbs.push_back(make(root));
      CLI::App& parser = *verbs.back().parser;
      parser.group(group.name);
      leave_out_types_of_positionals(parser);
    }
}

}  // namespace supervisor::cli
