#include <CLI/CLI.hpp>

#include "supervisor/cli/man_page.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {

Verb man_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("man", "Print the manual page; to read it: pluginctl man | man -l -");
  Verb verb{parser, nullptr};
  verb.run_alone = [&root](Terminal& terminal) {
    terminal.print(man_page(grammar_of(root), PLUGIN_SUPERVISOR_VERSION));
    return ExitCode::ok;
  };
  return verb;
}

}  // namespace supervisor::cli
