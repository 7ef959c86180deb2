#include <CLI/CLI.hpp>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/verb.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/protections.h"

namespace supervisor::cli {
namespace {

// "hosts and ports (cgroup bpf)", or what is left open.
std::string network_text(const v1::NetworkReport& report) {
  if (report.hosts_by() == "network_namespace") return "its own, with loopback alone";
  if (!report.hosts_by().empty()) return "hosts and ports, by " + report.hosts_by();
  if (report.tcp_ports_by().empty()) return "any host and port: nothing is enforced";
  return "ports alone, by " + report.tcp_ports_by() + "; any host" +
         (report.udp_by().empty() ? ", and any by UDP" : ", and no UDP");
}

// "name: value" lines, the values in one column.
class Sheet {
 public:
  void line(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    std::string title(name);
    title.resize(std::max<std::size_t>(title.size(), 14), ' ');
    out_ += title + safe_line(value) + "\n";
  }
  void block(std::string_view name, std::string_view text) {
    out_ += std::string(name) + "\n";
    while (!text.empty()) {
      const auto end = std::min(text.find('\n'), text.size());
      out_ += "  " + safe_line(text.substr(0, end)) + "\n";
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  void json(std::string_view name, const std::string& bytes) {
    if (bytes.empty() || bytes == "[]" || bytes == "{}") return;
    block(name, pretty_json(bytes));
  }
  void failure(std::string_view name, const v1::Failure& failure) {
    line(name, reason_code(failure.reason()));
    line("  step", failure.step());
    line("  message", failure.message());
    line("  hint", failure.hint());
    line("  signal", failure.signal());
    if (failure.evidence().empty()) return;
    std::string lines;
    for (const std::string& entry : failure.evidence()) lines += "| " + entry + "\n";
    block("  evidence", lines);
  }
  std::string text() && { return std::move(out_); }

 private:
  std::string out_;
};

void describe_worker(Sheet& sheet, const v1::Plugin& plugin) {
  const v1::Worker& worker = plugin.worker();
  sheet.line("state", state_name(worker.state()));
  if (plugin.has_load_error()) {
    sheet.failure("load error", plugin.load_error());
  } else if (worker.has_failure()) {
    sheet.failure("reason", worker.failure());
  }
  if (worker.pid() != 0) {
    sheet.line("pid", std::to_string(worker.pid()));
    sheet.line("started", utc_time(worker.started_at_unix_ms() * 1000));
    sheet.line("memory", memory_text(worker.memory_bytes()));
    sheet.line("cpu", std::to_string(worker.cpu_seconds()) + " s");
    sheet.line("in flight", std::to_string(worker.in_flight()));
  }
  if (worker.has_sandbox()) {
    const auto& report = worker.sandbox();
    sheet.line("sandbox",
               "T" + std::to_string(report.tier()) + ", user " + std::to_string(report.user()));
    for (const auto& state : report.protections())
      if (!state.in_force())
        sheet.line("  without", sandbox::protection_name(state.protection()) + ": " +
                                    safe_line(state.because()));
  }
  if (worker.has_sandbox()) sheet.line("network", network_text(worker.sandbox().network()));
  if (worker.has_last_crash()) sheet.failure("last crash", worker.last_crash());
  sheet.line("next start", utc_time(worker.next_start_unix_ms() * 1000));
  sheet.line("profile", worker.profile());
  sheet.line("generation", std::to_string(worker.generation()));
  sheet.line("restarts", std::to_string(worker.restarts()));
  sheet.line("last reload", utc_time(plugin.last_reload_unix_ms() * 1000));
}

std::string description(const v1::Plugin& plugin) {
  const v1::PluginMetadata& about = plugin.metadata();
  Sheet sheet;
  sheet.line("key", plugin.key());
  sheet.line("name", about.name());
  sheet.line("version", about.version());
  sheet.line("author", about.author());
  sheet.line("description", about.description());
  sheet.line("help", about.help_url());
  sheet.line("directory", plugin.directory());
  sheet.line("enabled", plugin.enabled()        ? "yes"
                        : plugin.ever_enabled() ? "no"
                                                : "no, and never was");
  sheet.line("manifest", plugin.missing()  ? "the files are gone"
                         : plugin.legacy() ? "none that is valid (a legacy plugin)"
                                           : "plugin.json");
  sheet.line("logo", plugin.has_logo() ? "logo.png" : "");
  sheet.line("repository", plugin.source_repo_name());
  describe_worker(sheet, plugin);
  for (const std::string& warning : plugin.warnings()) sheet.line("warning", warning);
  sheet.json("settings", plugin.settings_json());
  sheet.json("fields", about.fields_json());
  sheet.json("actions", about.actions_json());
  sheet.json("ui schema", about.ui_schema_json());
  sheet.json("navigation", about.navigation_json());
  sheet.json("pages", about.pages_json());
  const auto& permissions = plugin.permissions();
  if (permissions.has_asked())
    sheet.json("asks for", sandbox::permissions_json(permissions.asked()));
  if (plugin.has_permissions())
    sheet.json("may", sandbox::permissions_json(permissions.effective()));
  if (permissions.has_waiting())
    sheet.json("not granted", sandbox::permissions_json(permissions.waiting()));
  return std::move(sheet).text();
}

}  // namespace

Verb show_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "show", "Show everything about one plugin, and why it does not run if it does not");
  const auto key = std::make_shared<std::string>();
  parser->add_option("KEY", *key, "Key of the plugin")->required();
  return {parser, [key](SupervisorClient& supervisor, Terminal& terminal) {
            const auto plugin = supervisor.get(*key);
            if (!plugin) return terminal.fail(plugin.error());
            if (terminal.json()) {
              terminal.print_json(plugin_json(*plugin));
            } else {
              terminal.print(description(*plugin));
            }
            return ExitCode::ok;
          }};
}

}  // namespace supervisor::cli
