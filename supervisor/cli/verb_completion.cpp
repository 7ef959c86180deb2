// completion: the scripts for shells; and what they ask while one types.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdlib>

#include "supervisor/cli/completion.h"
#include "supervisor/cli/destination.h"
#include "supervisor/cli/job_view.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

// Who presses Tab does not wait longer.
constexpr auto patience = std::chrono::milliseconds(1500);

void offer(Terminal& terminal, const std::string& value, const std::string& what) {
  // One that a terminal would obey cannot be typed either.
  if (value.empty() || safe_line(value) != value) return;
  terminal.print(value + "\t" + safe_line(what) + "\n");
}

void offer_plugins(SupervisorClient& supervisor, Terminal& terminal) {
  const auto plugins = supervisor.list(patience);
  if (!plugins) return;
  for (const v1::Plugin& plugin : plugins->plugins())
    offer(terminal, plugin.key(), state_name(plugin.worker().state()));
}

void offer_jobs(SupervisorClient& supervisor, Terminal& terminal, bool live) {
  v1::ListJobsRequest request;
  request.set_unfinished(live);
  request.set_limit(50);
  const auto jobs = supervisor.jobs(request, patience);
  if (!jobs) return;
  for (const v1::Job& job : jobs->jobs())
    offer(terminal, job.id(),
          job.plugin() + " " + job.action() + ", " + job_state_name(job.state()));
}

void offer_actions(SupervisorClient& supervisor, Terminal& terminal, const std::string& key) {
  const auto plugin = supervisor.get(key, patience);
  if (!plugin) return;
  boost::system::error_code error;
  const auto actions = boost::json::parse(plugin->metadata().actions_json(), error);
  if (error || !actions.is_array()) return;
  for (const auto& action : actions.get_array()) {
    const auto text = [&](const char* name) {
      const auto* member = action.is_object() ? action.get_object().if_contains(name) : nullptr;
      return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                      : std::string();
    };
    offer(terminal, text("id"), text("label"));
  }
}

}  // namespace

Verb completion_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("completion", "Print a script that completes commands in a shell");
  const auto shell = std::make_shared<std::string>();
  parser->add_option("SHELL", *shell, "Which shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}).description(""))
      ->type_name("bash|zsh");
  parser->footer(
      "To use it at once, or from ~/.bashrc or ~/.zshrc:\n"
      "  source <(pluginctl completion bash)\n"
      "It completes verbs, options and their values, keys of plugins, their actions, and\n"
      "ids of jobs; the latter as far as the supervisor can be asked.\n\n" +
      exit_code_help());
  Verb verb{parser, nullptr};
  verb.run_alone = [shell, &root](Terminal& terminal) {
    std::error_code error;
    auto program = std::filesystem::read_symlink("/proc/self/exe", error).native();
    if (error) program = root.get_name();
    const Grammar grammar = grammar_of(root);
    terminal.print(*shell == "bash" ? bash_completion(grammar, program)
                                    : zsh_completion(grammar, program));
    return ExitCode::ok;
  };
  return verb;
}

Verb candidates_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(candidates_name, "Print what can stand here");
  const auto kind = std::make_shared<std::string>();
  const auto key = std::make_shared<std::string>();
  parser->add_option("KIND", *kind, "plugins, jobs, live-jobs or actions")->required();
  parser->add_option("KEY", *key, "Whose actions");
  Verb verb{parser, nullptr};
  verb.run_alone = [kind, key, &root](Terminal& terminal) {
    auto supervisor = SupervisorClient::connect(destination_of(root));
    if (!supervisor) return ExitCode::ok;  // Nobody wants to read why while typing.
    if (*kind == candidates_word(Completes::plugins)) offer_plugins(*supervisor, terminal);
    if (*kind == candidates_word(Completes::jobs)) offer_jobs(*supervisor, terminal, false);
    if (*kind == candidates_word(Completes::live_jobs)) offer_jobs(*supervisor, terminal, true);
    if (*kind == candidates_word(Completes::actions)) offer_actions(*supervisor, terminal, *key);
    return ExitCode::ok;
  };
  return verb;
}

}  // namespace supervisor::cli
