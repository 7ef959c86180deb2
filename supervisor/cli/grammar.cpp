#include "supervisor/cli/grammar.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "supervisor/cli/exit_code.h"

namespace supervisor::cli {
namespace {

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find(at, begin);
    parts.push_back(text.substr(begin, end - begin));
  }
  return parts;
}

// "bash|zsh" names what can be given; "JSON|@FILE|-" does not.
bool is_choice(const std::string& type) {
  return type.find('|') != std::string::npos &&
         type.find_first_not_of("abcdefghijklmnopqrstuvwxyz-|") == std::string::npos;
}

void set_completion(GrammarOption& option, const std::string& verb) {
  const std::string& word = option.type.empty() ? option.names.back() : option.type;
  if (is_choice(word)) {
    option.completes = Completes::choices;
    option.choices = split(word, '|');
  } else if (word == "KEY") {
    option.completes = Completes::plugins;
  } else if (word == "ID") {
    option.completes = verb == "cancel" ? Completes::live_jobs : Completes::jobs;
  } else if (word == "ACTION") {
    option.completes = Completes::actions;
  } else if (word == "PATH") {
    option.completes = Completes::files;
  }
}

GrammarOption option_of(const CLI::Option& from, const std::string& verb) {
  GrammarOption option;
  if (from.get_positional()) option.names.push_back(from.get_name(true, false));
  for (const auto& name : from.get_snames()) option.names.push_back("-" + name);
  for (const auto& name : from.get_lnames()) option.names.push_back("--" + name);
  if (from.get_type_size() != 0) option.type = from.get_type_name();
  option.what = from.get_description();
  option.default_text = from.get_default_str();
  option.required = from.get_required();
  option.repeats = from.get_expected_max() == CLI::detail::expected_max_vector_size;
  if (from.get_positional() || !option.type.empty()) set_completion(option, verb);
  return option;
}

std::string notes_of(const CLI::App& verb, const CLI::App& root) {
  const std::string footer = verb.get_footer();
  if (footer == root.get_footer()) return {};
  return footer.substr(0, footer.find("\n\n" + exit_code_help()));
}

}  // namespace

Grammar grammar_of(const CLI::App& root) {
  Grammar grammar{.program = root.get_name(), .what = root.get_description()};
  for (const CLI::Option* option : root.get_options())
    grammar.options.push_back(option_of(*option, ""));
  for (const CLI::App* parser : root.get_subcommands([](const CLI::App*) { return true; })) {
    if (parser->get_group().empty()) continue;
    GrammarVerb verb{.name = parser->get_name(),
                     .group = parser->get_group(),
                     .what = parser->get_description(),
                     .notes = notes_of(*parser, root)};
    for (const CLI::Option* option : parser->get_options()) {
      // Every verb has --help, as the program has.
      if (option == parser->get_help_ptr()) continue;
      (option->get_positional() ? verb.positionals : verb.options)
          .push_back(option_of(*option, verb.name));
    }
    grammar.verbs.push_back(std::move(verb));
  }
  return grammar;
}

}  // namespace supervisor::cli
