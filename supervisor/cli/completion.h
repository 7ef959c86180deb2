// Completion scripts for shells. What is fixed (verbs, options, choices) stands
// in the script; keys of plugins, their actions and ids of jobs are asked of
// the supervisor at the moment, by the hidden verb `candidates`, which is
// silent when there is none.
#pragma once

#include <string>

#include "supervisor/cli/grammar.h"

namespace supervisor::cli {

/// The hidden verb.
inline constexpr const char* candidates_name = "__candidates";

/// Its word for what is to be completed; empty for what it does not know.
std::string candidates_word(Completes completes);

/// A script for bash 4.4 or newer. `program`: the absolute path that is asked
/// when what the user typed is an alias or a function.
std::string bash_completion(const Grammar& grammar, const std::string& program);

/// The same for zsh 5.
std::string zsh_completion(const Grammar& grammar, const std::string& program);

/// `text` as one word of a POSIX shell.
std::string shell_quote(const std::string& text);

}  // namespace supervisor::cli
