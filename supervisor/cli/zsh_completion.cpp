#include <algorithm>

#include "supervisor/cli/completion.h"

namespace supervisor::cli {
namespace {

constexpr const char* head = R"SH(#compdef pluginctl
# zsh completion of pluginctl. To use it in this shell, or from ~/.zshrc:
#   source <(pluginctl completion zsh)
# or put it as _pluginctl into a directory of $fpath.

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }

# _pluginctl_ask KIND [KEY]: lines of "value<tab>what it is".
_pluginctl_ask() {
  local value what
  local -a values shown
  while IFS=$'\t' read -r value what; do
    values+=("$value")
    shown+=("$value${what:+  -- $what}")
  done < <("$_pluginctl_program" $_pluginctl_socket __candidates "$@" 2>/dev/null)
  (( $#values )) && compadd -l -d shown -a values
}

_pluginctl_plugins() { _pluginctl_ask plugins }
_pluginctl_jobs() { _pluginctl_ask jobs }
_pluginctl_live_jobs() { _pluginctl_ask live-jobs }
_pluginctl_actions() { _pluginctl_ask actions "$line[1]" }
)SH";

constexpr const char* tail = R"SH(
_pluginctl() {
  local curcontext=$curcontext state _pluginctl_program=$commands[$words[1]] verb
  local -a line _pluginctl_socket
  typeset -A opt_args
  [[ $words[1] == */* && -x $words[1] ]] && _pluginctl_program=$words[1]
  [[ -n $_pluginctl_program ]] || _pluginctl_program=$_pluginctl_itself
  local at
  for (( at = 2; at < CURRENT; at++ )); do
    case $words[at] in
      --socket) _pluginctl_socket=(--socket "${(Q)words[at+1]/#\~\//$HOME/}") ;;
      --socket=*) _pluginctl_socket=("${(Q)words[at]}") ;;
    esac
  done
  _arguments -C $_pluginctl_everywhere '1:verb:_pluginctl_verbs' '*::argument:->arguments'
  [[ $state == arguments ]] || return
  verb=$line[1]
  (( $+functions[_pluginctl-$verb] )) && _pluginctl-$verb
}

compdef _pluginctl pluginctl
# Loaded by name from $fpath: this call is the first completion.
if [[ $funcstack[1] == _pluginctl ]]; then _pluginctl "$@"; fi
)SH";

// What _arguments reads within its specifications.
std::string escaped(std::string text, std::string_view special) {
  for (std::size_t at = 0; at < text.size(); ++at)
    if (special.find(text[at]) != std::string_view::npos) text.insert(at++, "\\");
  return text;
}

std::string action_of(const GrammarOption& option) {
  switch (option.completes) {
    case Completes::choices: {
      std::string words;
      for (const auto& choice : option.choices) words += (words.empty() ? "" : " ") + choice;
      return "(" + words + ")";
    }
    case Completes::plugins:
      return "_pluginctl_plugins";
    case Completes::jobs:
      return "_pluginctl_jobs";
    case Completes::live_jobs:
      return "_pluginctl_live_jobs";
    case Completes::actions:
      return "_pluginctl_actions";
    case Completes::files:
      return "_files";
    case Completes::nothing:
      break;
  }
  return " ";  // A value, but none that can be offered.
}

std::string option_specification(const GrammarOption& option, const std::string& name) {
  std::string excluded;
  for (const auto& other : option.names) excluded += (excluded.empty() ? "" : " ") + other;
  std::string text = option.repeats ? "*" : "(" + excluded + ")";
  const bool has_value = !option.type.empty();
  text += name;
  if (has_value && name.starts_with("--")) text += "=";
  text += "[" + escaped(option.what, "[]\\:") + "]";
  if (has_value) text += ":" + escaped(option.type, ":\\") + ":" + action_of(option);
  return shell_quote(text);
}

std::string specifications(const std::vector<GrammarOption>& options) {
  std::string text;
  for (const auto& option : options)
    for (const auto& name : option.names) text += " \\\n    " + option_specification(option, name);
  return text;
}

std::string positional_specification(const GrammarOption& option, std::size_t place) {
  return shell_quote(std::to_string(place) + (option.required ? ":" : "::") +
                     escaped(option.names.back(), ":\\") + ":" + action_of(option));
}

}  // namespace

std::string zsh_completion(const Grammar& grammar, const std::string& program) {
  std::string text = head;
  text += "\n_pluginctl_itself=" + shell_quote(program) + "\n\n_pluginctl_everywhere=(" +
          specifications(grammar.options) + "\n)\n\n_pluginctl_verbs() {\n  local -a verbs=(";
  for (const auto& verb : grammar.verbs)
    text += "\n    " + shell_quote(escaped(verb.name, ":") + ":" + verb.what);
  text += "\n  )\n  _describe verb verbs\n}\n";
  for (const auto& verb : grammar.verbs) {
    text += "\n_pluginctl-" + verb.name + "() {\n  _arguments $_pluginctl_everywhere" +
            specifications(verb.options);
    for (std::size_t at = 0; at < verb.positionals.size(); ++at)
      text += " \\\n    " + positional_specification(verb.positionals[at], at + 1);
    text += "\n}\n";
  }
  return text + tail;
}

}  // namespace supervisor::cli
