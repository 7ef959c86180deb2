#include "supervisor/cli/man_page.h"

#include <array>

#include "supervisor/cli/exit_code.h"
#include "supervisor/cli/socket_path.h"

namespace supervisor::cli {
namespace {

// Text as roff shows it: no request at the beginning of a line, hyphens that
// can be copied, no escapes of its own.
std::string roff(const std::string& text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '^') {
      out += "\\(ha";
    } else if (c == '~') {
      out += "\\(ti";
    } else if (c == '`') {
      out += "\\(ga";
    } else if (c == '\'') {
      out += "\\(aq";
    } else {
      out += c;
    }
    line_begins = c == '\n';
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

std::string sentence(const std::string& text) {
  return roff(text) + (text.ends_with('.') ? "\n" : ".\n");
}

std::string entry(const std::string& head, const std::string& body) {
  return ".TP\n" + head + "\n" + body;
}

std::string option_entry(const GrammarOption& option) {
  std::string head;
  for (const auto& name : option.names) head += (head.empty() ? "" : ", ") + bold(name);
  if (!option.type.empty()) head += " " + italic(option.type);
  std::string body = option.what;
  if (!option.default_text.empty()) body += " (default " + option.default_text + ")";
  return entry(head, sentence(body));
}

std::string usage(const std::string& program, const GrammarVerb& verb) {
  std::string text = bold(program + " " + verb.name);
  for (const auto& place : verb.positionals) {
    const auto& word = place.type.empty() ? place.names.back() : place.type;
    text += place.required ? " " + italic(word) : " [" + italic(word) + "]";
  }
  if (!verb.options.empty()) text += " [" + italic("OPTIONS") + "]";
  return text;
}

std::string indented(const std::string& entries) {
  return entries.empty() ? entries : ".RS\n" + entries + ".RE\n";
}

std::string verb_entry(const std::string& program, const GrammarVerb& verb) {
  std::string options;
  for (const auto& option : verb.options) options += option_entry(option);
  std::string text = entry(usage(program, verb), sentence(verb.what));
  // Lines of the help that are set off stay as they are.
  if (!verb.notes.empty()) text += ".IP\n.nf\n" + roff(verb.notes) + "\n.fi\n";
  return text + indented(options);
}

struct Example {
  const char* what;
  const char* command;
};

constexpr std::array<Example, 9> examples{{
    {"Which plugins there are, and what state they are in", "pluginctl list"},
    {"Enable one and wait until it runs", "pluginctl enable KEY"},
    {"Why it does not, and what to do", "pluginctl why KEY"},
    {"What it printed in the last ten minutes, and what it prints from now on",
     "pluginctl logs KEY --since 10m -f"},
    {"Run an action, with parameters from a file",
     "pluginctl run KEY ACTION --params @params.json"},
    {"Run a long one in the background, and wait for it",
     "pluginctl job --wait 1h $(pluginctl run KEY ACTION --background)"},
    {"Give a plugin less memory, at once", "pluginctl limits KEY --memory 256m --now"},
    {"The three that use most memory, for a script",
     "pluginctl top --once --sort memory --json | jq -r '.workers[:3][].key'"},
    {"Complete commands in this shell", "source <(pluginctl completion bash)"},
}};

}  // namespace

std::string man_page(const Grammar& grammar, const std::string& version) {
  const std::string& program = grammar.program;
  std::string what = grammar.what;
  what.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(what.front())));
  if (what.ends_with('.')) what.pop_back();
  std::string text = ".\\\" Made by \"" + program + " man\"; not to be changed by hand.\n" +
                     ".TH PLUGINCTL 1 \"\" \"plugin\\-supervisor " + roff(version) +
                     "\" \"Plugin supervisor\"\n" + ".SH NAME\n" + roff(program) + " \\- " +
                     roff(what) + "\n.SH SYNOPSIS\n" + bold(program) + " [" + italic("OPTIONS") +
                     "] " + italic("VERB") + " [" + italic("ARGUMENTS") + "]\n" +
                     ".SH DESCRIPTION\n" +
                     roff(
                         "Asks the plugin supervisor, over its Unix socket or TCP, for what an "
                         "admin or a script wants to know of plugins and their workers, and has it "
                         "act. "
                         "Results go to standard output, all that is said to a person to standard "
                         "error.") +
                     "\n.SH OPTIONS\nBefore or after the verb:\n";
  for (const auto& option : grammar.options) text += option_entry(option);
  text += ".SH VERBS\n";
  std::string group;
  for (const auto& verb : grammar.verbs) {
    if (verb.group != group) text += ".SS " + roff(verb.group) + "\n";
    group = verb.group;
    text += verb_entry(program, verb);
  }
  text += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_code_meanings())
    text += entry(bold(std::to_string(static_cast<int>(code))), sentence(meaning));
  text +=
      ".SH JSON\n" +
      roff(
          "With --json every verb writes one JSON value on standard output (logs: one for "
          "each line), an error too: an object with \"success\": false, \"error\", \"code\" "
          "(the reason), \"step\", \"hint\", \"evidence\" and \"exit_status\".") +
      "\n.SH ENVIRONMENT\n" +
      entry(bold(socket_variable), sentence("The socket, where --socket is not given")) +
      entry(bold("PLUGIN_SUPERVISOR_ADDRESS") + ", " + bold("PLUGIN_SUPERVISOR_TLS_CERT") + ", " +
                bold("PLUGIN_SUPERVISOR_TLS_KEY") + ", " + bold("PLUGIN_SUPERVISOR_TLS_CA"),
            sentence("What --supervisor, --tls-cert, --tls-key and --tls-ca say, where they "
                     "are not given; an address counts before a socket")) +
      entry(bold("NO_COLOR"), sentence("When it is set and not empty, nothing is coloured")) +
      entry(bold("DATABASE_URL") + ", " + bold("PLUGIN_SUPERVISOR_PYTHON") + ", " +
                bold("PLUGIN_SUPERVISOR_RUNTIME_DIR"),
            sentence("What doctor looks at, where its options do not say")) +
      ".SH FILES\n" +
      entry(italic(local_socket),
            sentence("The socket of deploy/up, taken when it is there below the current "
                     "directory and nothing else was said")) +
      entry(italic(system_socket), sentence("The socket otherwise")) + ".SH EXAMPLES\n";
  for (const auto& example : examples)
    text += ".PP\n" + roff(example.what) + ":\n.PP\n.RS 4\n.EX\n" + roff(example.command) +
            "\n.EE\n.RE\n";
  return text;
}

}  // namespace supervisor::cli
