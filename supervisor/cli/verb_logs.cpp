#include <CLI/CLI.hpp>

#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

struct LogsOptions {
  std::string key;
  std::uint32_t tail = 0;
  bool follow = false;
};

}  // namespace

Verb logs_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("logs", "Print what a plugin logged and printed, oldest first");
  const auto options = std::make_shared<LogsOptions>();
  parser->add_option("KEY", options->key, "Key of the plugin")->required();
  parser->add_option("--tail", options->tail, "Only the last lines; 0 = all that is kept")
      ->type_name("LINES");
  parser->add_flag("-f,--follow", options->follow, "Go on with new lines as they come");
  return {parser, [options](SupervisorClient& supervisor, Terminal& terminal) {
            v1::LogsRequest request;
            request.set_key(options->key);
            request.set_tail(options->tail);
            request.set_follow(options->follow);
            const auto ended = supervisor.logs(request, [&](const v1::LogLine& line) {
              terminal.print((terminal.json() ? log_line_json(line) : log_line_text(line)) + "\n");
              // A reader that follows wants each line at once; one that went
              // away ends the stream.
              return !options->follow || terminal.flush();
            });
            if (!ended) return terminal.fail(ended.error());
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
