#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "supervisor/cli/command_line.h"
#include "supervisor/cli/completion.h"
#include "supervisor/cli/grammar.h"
#include "supervisor/cli/man_page.h"

using namespace supervisor::cli;

namespace {

Grammar whole_grammar() {
  const CommandLine line;
  return grammar_of(line.root);
}

const GrammarVerb& verb(const Grammar& grammar, const std::string& name) {
  const auto found = std::find_if(grammar.verbs.begin(), grammar.verbs.end(),
                                  [&](const GrammarVerb& one) { return one.name == name; });
  REQUIRE(found != grammar.verbs.end());
  return *found;
}

}  // namespace

TEST_CASE("the manual page in deploy/man is that of this command line") {
  std::ifstream file(std::string(MAN_DIR) + "/pluginctl.1");
  std::stringstream kept;
  kept << file.rdbuf();
  // When this fails: build/release/supervisor/cli/pluginctl man >deploy/man/pluginctl.1
  CHECK(man_page(whole_grammar(), PLUGIN_SUPERVISOR_VERSION) == kept.str());
}

TEST_CASE("what can be completed is read off the command line") {
  const Grammar grammar = whole_grammar();
  CHECK(verb(grammar, "why").positionals.at(0).completes == Completes::plugins);
  CHECK(verb(grammar, "run").positionals.at(1).completes == Completes::actions);
  CHECK(verb(grammar, "job").positionals.at(0).completes == Completes::jobs);
  CHECK(verb(grammar, "cancel").positionals.at(0).completes == Completes::live_jobs);
  CHECK(verb(grammar, "completion").positionals.at(0).choices ==
        std::vector<std::string>{"bash", "zsh"});
  const auto& options = verb(grammar, "logs").options;
  const auto level = std::find_if(options.begin(), options.end(), [](const GrammarOption& option) {
    return option.names.back() == "--level";
  });
  REQUIRE(level != options.end());
  CHECK(level->choices ==
        std::vector<std::string>{"debug", "info", "warning", "error", "critical"});
}

TEST_CASE("every verb stands in a group, says what it does, and in every script and the page") {
  const Grammar grammar = whole_grammar();
  CHECK(grammar.verbs.size() >= 23);
  const std::string bash = bash_completion(grammar, "/x");
  const std::string zsh = zsh_completion(grammar, "/x");
  const std::string man = man_page(grammar, "1");
  for (const auto& one : grammar.verbs) {
    INFO(one.name);
    CHECK_FALSE(one.group.empty());
    CHECK_FALSE(one.what.empty());
    CHECK(bash.find(" " + one.name) != std::string::npos);
    CHECK(zsh.find("_pluginctl-" + one.name + "()") != std::string::npos);
    for (const auto& option : one.options) {
      INFO(option.names.back());
      CHECK_FALSE(option.what.empty());
      CHECK(option.type != "TEXT");  // Says nothing to a reader.
    }
  }
  for (const std::string& text : {bash, zsh, man})
    CHECK(text.find(std::string(candidates_name) + ":") == std::string::npos);
  CHECK(man.find("candidates") == std::string::npos);
}

TEST_CASE("the path of the program is one word of the scripts") {
  CHECK(shell_quote("/a b/it's") == "'/a b/it'\\''s'");
  CHECK(bash_completion(whole_grammar(), "/a'$(b)").find("='/a'\\''$(b)'\n") != std::string::npos);
}

TEST_CASE("roff sees text, not requests") {
  Grammar grammar{.program = "p", .what = "Does. It."};
  grammar.verbs.push_back({.name = "v", .group = "G", .what = "'a \\b", .notes = ".c"});
  const std::string page = man_page(grammar, "1");
  CHECK(page.find("\n\\&\\(aqa \\eb.\n") != std::string::npos);
  CHECK(page.find("\n\\&.c\n") != std::string::npos);
}
