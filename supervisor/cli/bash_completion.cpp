#include "supervisor/cli/completion.h"

namespace supervisor::cli {
namespace {

constexpr const char* head =
    R"SH(# bash completion of pluginctl. To use it in this shell, or from ~/.bashrc:
#   source <(pluginctl completion bash)

# Candidates that begin with what was typed, quoted as words. They are other
# people's text: never expanded, unlike by compgen -W.
_pluginctl_offer() {
  local one word typed=$_pluginctl_typed
  for one in "$@"; do
    [[ $one == "$typed"* ]] || continue
    printf -v word %q "$one"
    COMPREPLY+=("$word")
  done
}

# _pluginctl_ask KIND [KEY]
_pluginctl_ask() {
  local -a lines
  mapfile -t lines < <("$_pluginctl_program" "${_pluginctl_socket[@]}" __candidates "$@" 2>/dev/null)
  _pluginctl_offer "${lines[@]%%$'\t'*}"
}

_pluginctl_files() {
  compopt -o filenames
  mapfile -t COMPREPLY < <(compgen -f -- "$_pluginctl_typed")
}
)SH";

// Walks the words before the cursor: which verb, which options, which place.
constexpr const char* tail = R"SH(
_pluginctl() {
  COMPREPLY=()
  local verb='' taken='' option='' word i
  local -a places=()
  local _pluginctl_typed=${COMP_WORDS[COMP_CWORD]} _pluginctl_program
  local -a _pluginctl_socket=()
  # An alias or a function is no program.
  _pluginctl_program=$(type -P -- "${COMP_WORDS[0]}") || _pluginctl_program=$_pluginctl_itself
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]//\\/}
    # "--level=info" is three words.
    if [[ $word == = ]]; then continue; fi
    if [[ $taken ]]; then
      [[ $option != --socket ]] || _pluginctl_socket=(--socket "${word/#\~\//$HOME/}")
      taken=''
    elif [[ $word == -* ]]; then
      option=$word
      taken=$(_pluginctl_value "$verb" "$word")
    elif [[ ! $verb ]]; then
      verb=$word
    else
      places+=("$word")
    fi
  done
  [[ $_pluginctl_typed != = ]] || _pluginctl_typed=''
  _pluginctl_typed=${_pluginctl_typed//[\\\"\']/}
  if [[ $taken ]]; then
    _pluginctl_complete "$taken"
  elif [[ $_pluginctl_typed == -* ]]; then
    _pluginctl_options "$verb"
  elif [[ ! $verb ]]; then
    _pluginctl_verbs
  else
    _pluginctl_complete "$(_pluginctl_place "$verb" "${#places[@]}")" "${places[0]-}"
  fi
}

complete -F _pluginctl pluginctl
)SH";

// What _pluginctl_complete() is given for a value.
std::string kind_of(const GrammarOption& option) {
  switch (option.completes) {
    case Completes::choices: {
      std::string words = "choices";
      for (const auto& choice : option.choices) words += " " + choice;
      return words;
    }
    case Completes::files:
      return "files";
    case Completes::nothing:
      return "nothing";
    default:
      return candidates_word(option.completes);
  }
}

std::string names_of(const std::vector<GrammarOption>& options) {
  std::string names;
  for (const auto& option : options)
    for (const auto& name : option.names) names += " " + name;
  return names;
}

std::string alternatives(const GrammarOption& option, const std::string& verb) {
  std::string pattern;
  for (const auto& name : option.names)
    pattern += (pattern.empty() ? "" : " | ") + ("\"" + verb + " " + name + "\"");
  return pattern;
}

}  // namespace

std::string bash_completion(const Grammar& grammar, const std::string& program) {
  std::string verbs;
  std::string options;
  std::string values;
  std::string places;
  for (const auto& option : grammar.options)
    if (!option.type.empty())
      values += "    *\" " + option.names.back() + "\") echo '" + kind_of(option) + "' ;;\n";
  for (const auto& verb : grammar.verbs) {
    verbs += " " + verb.name;
    options += "    " + verb.name + ") set --" + names_of(verb.options) + " ;;\n";
    for (const auto& option : verb.options)
      if (!option.type.empty())
        values +=
            "    " + alternatives(option, verb.name) + ") echo '" + kind_of(option) + "' ;;\n";
    for (std::size_t at = 0; at < verb.positionals.size(); ++at)
      places += "    '" + verb.name + " " + std::to_string(at) + "') echo '" +
                kind_of(verb.positionals[at]) + "' ;;\n";
  }
  return head + ("\n_pluginctl_itself=" + shell_quote(program)) +
         "\n\n_pluginctl_verbs() {\n  _pluginctl_offer" + verbs + "\n}\n\n" +
         "# The options of a verb, and those of all.\n_pluginctl_options() {\n  case $1 in\n" +
         options + "    *) set -- ;;\n  esac\n  _pluginctl_offer \"$@\"" +
         names_of(grammar.options) + "\n}\n\n" +
         "# What the value of a verb's option is; nothing for a flag.\n"
         "_pluginctl_value() {\n  case \"$1 $2\" in\n" +
         values + "  esac\n}\n\n" +
         "# What stands at a place after the verb.\n"
         "_pluginctl_place() {\n  case \"$1 $2\" in\n" +
         places + "  esac\n}\n\n" +
         "# _pluginctl_complete KIND [KEY]\n"
         "_pluginctl_complete() {\n"
         "  local -a words\n"
         "  case $1 in\n"
         "    '' | nothing) ;;\n"
         "    choices*)\n"
         "      read -ra words <<<\"${1#choices}\"\n"
         "      _pluginctl_offer \"${words[@]}\"\n"
         "      ;;\n"
         "    files) _pluginctl_files ;;\n"
         "    actions) _pluginctl_ask actions \"$2\" ;;\n"
         "    *) _pluginctl_ask \"$1\" ;;\n"
         "  esac\n}\n" +
         tail;
}

}  // namespace supervisor::cli
