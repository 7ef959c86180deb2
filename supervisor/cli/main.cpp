// pluginctl: the supervisor's plugins from the command line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/socket_path.h"
#include "supervisor/cli/supervisor_client.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/verb.h"

namespace {

using namespace supervisor;
using namespace supervisor::cli;

std::string footer() {
  return std::string("The supervisor's socket is --socket, else $") + socket_variable + ", else\n" +
         local_socket + " below the current directory if it is there, else\n" + system_socket +
         ".\n\n"
         "With --json every verb writes one JSON value on stdout (logs: one per line),\n"
         "an error too: {\"success\": false, \"error\": text, \"code\": reason, ...}.\n\n" +
         exit_code_help();
}

bool asks_for_json(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc,
                     [](const char* argument) { return std::string_view(argument) == "--json"; });
}

Failure wrong_usage(const CLI::App& root, const CLI::ParseError& error) {
  const auto verbs = root.get_subcommands();
  const std::string verb = verbs.empty() ? "" : " " + verbs.front()->get_name();
  return make_failure(v1::REASON_INVALID_REQUEST, "command line", error.what(),
                      "See pluginctl" + verb + " --help.");
}

ExitCode run(int argc, char** argv, Terminal& terminal) {
  CLI::App root("Control the plugins of a plugin supervisor.", "pluginctl");
  std::string socket;
  bool json = false;
  root.add_option("--socket", socket, "Path of the supervisor's Unix socket")->type_name("PATH");
  root.add_flag("--json", json, "Write JSON for programs");
  root.set_version_flag("--version", std::string("pluginctl ") + PROJECT_VERSION);
  root.fallthrough();
  root.require_subcommand(1);
  root.footer(footer());
  const std::vector<Verb> verbs = {
      list_verb(root),    show_verb(root),         enable_verb(root),   disable_verb(root),
      run_verb(root),     reload_verb(root),       settings_verb(root), logs_verb(root),
      workers_verb(root), start_verb(root),        stop_verb(root),     restart_verb(root),
      kill_verb(root),    unquarantine_verb(root), why_verb(root),      dump_stacks_verb(root),
      limits_verb(root),  doctor_verb(root),       jobs_verb(root),     job_verb(root),
      cancel_verb(root)};
  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& help) {
    root.exit(help);
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    // A flag that was read before the error says nothing about one after it.
    terminal.use_json(asks_for_json(argc, argv));
    return terminal.fail(wrong_usage(root, error));
  }
  terminal.use_json(json);

  for (const Verb& verb : verbs)
    if (verb.parser->parsed() && verb.run_alone) return verb.run_alone(terminal);
  auto supervisor = SupervisorClient::connect(
      choose_socket(socket, std::getenv(socket_variable), std::filesystem::current_path()));
  if (!supervisor) return terminal.fail(supervisor.error());
  for (const Verb& verb : verbs)
    if (verb.parser->parsed()) return verb.run(*supervisor, terminal);
  return ExitCode::usage;  // Not reached: the parser demands a verb.
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const bool interactive = ::isatty(STDOUT_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  Terminal terminal(std::cout, std::cerr,
                    {.interactive = interactive,
                     .colours = interactive && (no_colour == nullptr || *no_colour == '\0')});
  ExitCode code = ExitCode::failed;
  try {
    code = run(argc, argv, terminal);
  } catch (const std::exception& error) {
    code = terminal.fail(make_failure(v1::REASON_INTERNAL, "pluginctl", error.what()));
  }
  if (!terminal.flush() && code == ExitCode::ok) {
    std::cerr << "pluginctl: stdout cannot be written\n";
    code = ExitCode::failed;
  }
  return static_cast<int>(code);
}
