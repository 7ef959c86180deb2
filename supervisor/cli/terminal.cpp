#include "supervisor/cli/terminal.h"

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/safe_text.h"

namespace supervisor::cli {

Terminal::Terminal(std::ostream& out, std::ostream& err, Traits traits)
    : out_(out), err_(err), traits_(traits) {}

void Terminal::print(std::string_view text) { out_ << text; }

void Terminal::print_json(std::string_view json) {
  if (traits_.interactive && !json_) {
    out_ << pretty_json(json) << '\n';
  } else {
    out_ << safe_json(json) << '\n';
  }
}

void Terminal::warn(std::string_view message) {
  err_ << "pluginctl: warning: " << safe_line(message) << '\n';
}

void Terminal::explain(const Failure& failure) {
  err_ << "pluginctl: " << safe_line(failure.message()) << '\n';
  if (!failure.hint().empty()) err_ << "  hint: " << safe_line(failure.hint()) << '\n';
  for (const std::string& entry : failure.evidence()) {
    // An entry may be a whole traceback.
    std::string_view rest = entry;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      err_ << "  | " << safe_line(rest.substr(0, end)) << '\n';
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
}

ExitCode Terminal::fail(const Failure& failure) {
  explain(failure);
  if (json_) out_ << error_json(failure) << '\n';
  return exit_code(failure.reason());
}

bool Terminal::flush() {
  err_.flush();
  return static_cast<bool>(out_.flush());
}

std::string error_json(const Failure& failure) {
  JsonWriter evidence('[');
  for (const std::string& line : failure.evidence()) evidence.element(json_quote(line));
  JsonWriter json('{');
  json.boolean("success", false)
      .text("error", failure.message())
      .text("code", reason_code(failure.reason()))
      .text("step", failure.step())
      .text("hint", failure.hint())
      .text("plugin", failure.plugin())
      .raw("evidence", std::move(evidence).finish())
      .text("signal", failure.signal())
      .number("exit_code", failure.exit_code())
      .number("exit_status", static_cast<int>(exit_code(failure.reason())));
  return std::move(json).finish();
}

}  // namespace supervisor::cli
