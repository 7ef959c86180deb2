// doctor: looks at the host, with or without a supervisor; or, with --attack, at
// what a sandbox stops.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iterator>

#include "supervisor/cli/destination.h"
#include "supervisor/cli/doctor/attack.h"
#include "supervisor/cli/doctor/bounded.h"
#include "supervisor/cli/duration_option.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/verb.h"

namespace supervisor::cli {
namespace {

using doctor::Finding;
using doctor::Probe;
using doctor::Subject;
using doctor::Verdict;

Table::Cell verdict_cell(const Finding& finding) {
  switch (finding.verdict) {
    case Verdict::ok:
      return {"ok", "32"};
    case Verdict::missing:
      return {"missing", finding.required ? "31" : "33"};
    case Verdict::failed:
      return {"failed", finding.required ? "31" : "33"};
    case Verdict::skipped:
      break;
  }
  return {"skipped"};
}

std::vector<Probe> all_probes(const Subject& subject) {
  std::vector<Probe> probes;
  for (auto group :
       {doctor::kernel_probes(), doctor::privilege_probes(subject), doctor::namespace_probes(),
        doctor::cgroup_probes(), doctor::sandbox_probes(), doctor::interpreter_probes(subject),
        doctor::directory_probes(subject), doctor::service_probes(subject)})
    std::move(group.begin(), group.end(), std::back_inserter(probes));
  return probes;
}

std::string findings_json(const std::vector<Finding>& findings, bool fit) {
  JsonWriter rows('[');
  for (const auto& finding : findings) {
    JsonWriter row('{');
    row.text("name", finding.name)
        .text("verdict", verdict_cell(finding).text)
        .boolean("required", finding.required)
        .text("detail", finding.detail)
        .text("cost", finding.cost);
    rows.element(std::move(row).finish());
  }
  JsonWriter json('{');
  json.boolean("success", fit).raw("findings", std::move(rows).finish());
  return std::move(json).finish();
}

ExitCode examine(const Subject& subject, std::chrono::milliseconds allowed, Terminal& terminal) {
  std::vector<Finding> findings;
  for (const auto& probe : all_probes(subject)) {
    auto found = doctor::bounded(probe, allowed);
    std::move(found.begin(), found.end(), std::back_inserter(findings));
  }
  const bool fit = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.required &&
           (finding.verdict == Verdict::missing || finding.verdict == Verdict::failed);
  });
  const auto code = fit ? ExitCode::ok : ExitCode::failed;
  if (terminal.json()) {
    terminal.print_json(findings_json(findings, fit));
    return code;
  }
  Table table({{"PROBE"}, {"VERDICT"}, {"FOUND", Table::Align::left, 110}});
  for (const auto& finding : findings)
    table.add_row({{finding.name}, verdict_cell(finding), {finding.detail}});
  terminal.print(table.render(terminal.colours()));
  for (const auto& finding : findings) {
    if (finding.verdict == Verdict::ok || finding.cost.empty()) continue;
    terminal.print("\n" + safe_line(finding.name) + (finding.required ? " (required): " : ": ") +
                   safe_line(finding.cost) + ".\n");
  }
  terminal.print(fit ? "\nA supervisor can run here.\n"
                     : "\nA supervisor cannot run here before what is required is there.\n");
  return code;
}

std::string from_environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

}  // namespace

Verb doctor_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "doctor", "Look whether plugins can run on this host, and what each missing thing costs");
  const auto python = std::make_shared<std::string>(
      from_environment("PLUGIN_SUPERVISOR_PYTHON", "/usr/bin/python3"));
  const auto database = std::make_shared<std::string>();
  const auto runtime_dir = std::make_shared<std::string>();
  const auto allowed = std::make_shared<std::chrono::milliseconds>(5000);
  const auto attacks = std::make_shared<bool>(false);
  const auto key = std::make_shared<std::string>();
  parser->add_option("KEY", *key, "With --attack: the plugin (default: each that runs)");
  parser->add_flag("--attack", *attacks,
                   "Try in a running plugin's sandbox what a hostile plugin would, without doing "
                   "harm, and show what is stopped");
  parser
      ->add_option("--python", *python,
                   "Interpreter of the workers (default $PLUGIN_SUPERVISOR_PYTHON, else "
                   "/usr/bin/python3)")
      ->type_name("PATH");
  parser
      ->add_option("--database", *database,
                   "PostgreSQL connection string or URI (default $DATABASE_URL)")
      ->type_name("URL");
  parser
      ->add_option("--runtime-dir", *runtime_dir,
                   "Runtime directory (default $PLUGIN_SUPERVISOR_RUNTIME_DIR, else the one "
                   "that the socket is in)")
      ->type_name("PATH");
  add_duration_option(*parser, "--deadline", allowed, "For each probe (default 5s)");
  Verb verb{parser, nullptr};
  verb.run_alone = [=, &root](Terminal& terminal) {
    Subject subject;
    subject.socket = destination_of(root).socket;
    if (*attacks) {
      auto supervisor = SupervisorClient::connect(destination_of(root));
      return supervisor ? doctor::attack(*supervisor, *key, terminal)
                        : terminal.fail(supervisor.error());
    }
    if (!key->empty())
      return terminal.fail(make_failure(v1::REASON_INVALID_REQUEST, "command line",
                                        "A plugin is named, but there is no --attack.",
                                        "See pluginctl doctor --help."));
    subject.python = *python;
    subject.database = database->empty() ? from_environment("DATABASE_URL", "") : *database;
    subject.runtime_dir = *runtime_dir;
    if (runtime_dir->empty())
      subject.runtime_dir = from_environment("PLUGIN_SUPERVISOR_RUNTIME_DIR", "");
    if (subject.runtime_dir.empty()) subject.runtime_dir = subject.socket.parent_path();
    subject.runtime_dir = std::filesystem::absolute(subject.runtime_dir).lexically_normal();
    return examine(subject, *allowed, terminal);
  };
  return verb;
}

}  // namespace supervisor::cli
