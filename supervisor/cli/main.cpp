// pluginctl: the supervisor's plugins from the command line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "supervisor/cli/command_line.h"
#include "supervisor/cli/destination.h"
#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/supervisor_client.h"
#include "supervisor/cli/terminal.h"

namespace {

using namespace supervisor;
using namespace supervisor::cli;

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
  CommandLine line;
  try {
    line.root.parse(argc, argv);
  } catch (const CLI::Success& help) {
    line.root.exit(help);
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    // A flag that was read before the error says nothing about one after it.
    terminal.use_json(asks_for_json(argc, argv));
    return terminal.fail(wrong_usage(line.root, error));
  }
  terminal.use_json(line.json);

  for (const Verb& verb : line.verbs)
    if (verb.parser->parsed() && verb.run_alone) return verb.run_alone(terminal);
  auto supervisor = SupervisorClient::connect(destination_of(line.root));
  if (!supervisor) return terminal.fail(supervisor.error());
  for (const Verb& verb : line.verbs)
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
