#include <CLI/CLI.hpp>

#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

struct LogsOptions {
  std::string key;
  std::uint32_t tail = 0;
  bool follow = false;
  std::string level;
  std::string job;
};

const std::map<std::string, v1::LogLevel> levels = {{"debug", v1::LOG_LEVEL_DEBUG},
                                                    {"info", v1::LOG_LEVEL_INFO},
                                                    {"warning", v1::LOG_LEVEL_WARNING},
                                                    {"error", v1::LOG_LEVEL_ERROR},
                                                    {"critical", v1::LOG_LEVEL_CRITICAL}};

std::int64_t unix_us_before(std::chrono::milliseconds duration) {
  const auto then = std::chrono::system_clock::now() - duration;
  return std::chrono::duration_cast<std::chrono::microseconds>(then.time_since_epoch()).count();
}

}  // namespace

Verb logs_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("logs", "Print what a plugin logged and printed, oldest first");
  const auto options = std::make_shared<LogsOptions>();
  parser->add_option("KEY", options->key, "Key of the plugin")->required();
  parser->add_option("--tail", options->tail, "Only the last lines; 0 = all that is kept")
      ->type_name("LINES");
  parser->add_flag("-f,--follow", options->follow, "Go on with new lines as they come");
  const auto since = std::make_shared<std::chrono::milliseconds>(0);
  add_duration_option(*parser, "--since", since, "Only lines of the last so long");
  parser->add_option("--level", options->level, "Only lines of this level and above")
      ->check(CLI::IsMember(levels).description(""))
      ->type_name("debug|info|warning|error|critical");
  parser->add_option("--job", options->job, "Only lines of this job")->type_name("ID");
  return {parser, [options, since](SupervisorClient& supervisor, Terminal& terminal) {
            v1::LogsRequest request;
            request.set_key(options->key);
            request.set_tail(options->tail);
            request.set_follow(options->follow);
            if (!options->level.empty()) request.set_min_level(levels.at(options->level));
            request.set_job(options->job);
            if (since->count() > 0) request.set_since_unix_us(unix_us_before(*since));
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
