// The command line as plain data, read off CLI11's parsers: what completions
// and the manual page are made of.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace supervisor::cli {

/// What a value on the command line can be completed to.
enum class Completes {
  nothing,    // A flag, or a value that only the user knows.
  choices,    // One of a few words.
  plugins,    // The key of a plugin.
  jobs,       // The id of a job,
  live_jobs,  // or of one that has not ended.
  actions,    // An action of the plugin that was named before.
  files,
};

struct GrammarOption {
  std::vector<std::string> names;  // "-f", "--follow"; of a positional: "KEY".
  std::string type;                // "DURATION", "debug|info"; empty: a flag, or a positional.
  std::string what;
  std::string default_text;
  bool required = false;
  bool repeats = false;
  Completes completes = Completes::nothing;
  std::vector<std::string> choices = {};
};

struct GrammarVerb {
  std::string name;
  std::string group;
  std::string what;
  std::string notes;  // What its help says at the end, without the exit status.
  std::vector<GrammarOption> positionals;
  std::vector<GrammarOption> options;
};

struct Grammar {
  std::string program;
  std::string what;
  std::vector<GrammarOption> options;  // Of every verb.
  std::vector<GrammarVerb> verbs;      // Without those that are hidden.
};

Grammar grammar_of(const CLI::App& root);

}  // namespace supervisor::cli
