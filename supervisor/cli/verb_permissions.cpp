// permissions: what a plugin asks for, what it was granted and what it has; and
// granting and revoking.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/settling.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/verb.h"
#include "supervisor/sandbox/permissions.h"

namespace supervisor::cli {
namespace {

struct PermissionsWish {
  std::string what;  // "show", "grant" or "revoke".
  std::string key;
  std::vector<std::string> terms;
  bool all = false;
  bool now = false;
};

std::string permissions_text(const v1::Plugin& plugin, bool colours) {
  const auto& report = plugin.permissions();
  const auto asked = sandbox::term_texts(report.asked());
  const auto granted = sandbox::term_texts(report.granted());
  const auto in_force = sandbox::term_texts(report.effective());
  std::vector<std::string> all;
  for (const auto* list : {&asked, &granted, &in_force})
    for (const auto& text : *list)
      if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
  const std::string key = safe_line(plugin.key());
  if (all.empty()) return key + " asks for nothing and has been granted nothing\n";
  const auto mark = [](const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) == list.end() ? "" : "yes";
  };
  Table table({{"PERMISSION"}, {"ASKED"}, {"GRANTED"}, {"IN FORCE"}});
  for (const auto& text : all)
    table.add_row(
        {{safe_line(text)}, {mark(asked, text)}, {mark(granted, text)}, {mark(in_force, text)}});
  std::string out = table.render(colours);
  if (!report.granted_by().empty())
    out += "granted by " + safe_line(report.granted_by()) + ", " +
           utc_time(report.granted_unix_ms() * 1000) + "\n";
  if (report.has_waiting())
    out += "It asks for more than it has been granted: pluginctl permissions grant " + key +
           " --all\n";
  if (report.outdated())
    out += "Its worker runs with what it was started with: pluginctl restart " + key + "\n";
  return out;
}

std::string outcome_json(const v1::Plugin& plugin) {
  JsonWriter json('{');
  json.boolean("success", true)
      .text("key", plugin.key())
      .raw("permissions", permissions_report_json(plugin.permissions()));
  return std::move(json).finish();
}

/// What is to be granted after the change that is wished for.
Outcome<v1::Permissions> changed(const v1::Plugin& plugin, const PermissionsWish& wish) {
  const auto& report = plugin.permissions();
  // Without an admin's word its profile's holds; changing it begins there.
  const auto& before = report.has_granted() ? report.granted() : report.effective();
  if (wish.all == !wish.terms.empty())
    return make_failure(v1::REASON_INVALID_REQUEST, "command line",
                        "Name the permissions to " + wish.what + ", or say --all.");
  if (wish.what == "revoke")
    return wish.all ? v1::Permissions() : sandbox::without_terms(before, wish.terms);
  return wish.all ? sandbox::united(before, report.asked())
                  : sandbox::with_terms(before, wish.terms);
}

ExitCode permissions(SupervisorClient& supervisor, Terminal& terminal,
                     const PermissionsWish& wish) {
  auto plugin = supervisor.get(wish.key);
  if (!plugin) return terminal.fail(plugin.error());
  if (wish.what == "show") {
    if (wish.all || wish.now || !wish.terms.empty())
      return terminal.fail(make_failure(v1::REASON_INVALID_REQUEST, "command line",
                                        "show takes nothing but the plugin's key."));
  } else {
    const auto granted = changed(*plugin, wish);
    if (!granted) return terminal.fail(granted.error());
    plugin = supervisor.set_grant(wish.key, *granted);
    if (!plugin) return terminal.fail(plugin.error());
    if (wish.now && plugin->worker().pid() != 0) {
      const auto restarted =
          supervisor.control(wish.key, v1::CONTROL_ACTION_RESTART, SupervisorClient::Duration(0));
      if (!restarted) return terminal.fail(restarted.error());
      if (const auto failure = unsettled(*restarted, true)) return terminal.fail(*failure);
      plugin = supervisor.get(wish.key);
      if (!plugin) return terminal.fail(plugin.error());
    }
  }
  if (terminal.json()) {
    terminal.print_json(outcome_json(*plugin));
  } else {
    terminal.print(permissions_text(*plugin, terminal.colours()));
  }
  return ExitCode::ok;
}

}  // namespace

Verb permissions_verb(CLI::App& root) {
  CLI::App* parser = root.add_subcommand(
      "permissions", "Show what a plugin may do; grant it what it asks for, or revoke it");
  const auto wish = std::make_shared<PermissionsWish>();
  parser->add_option("WHAT", wish->what, "What to do")
      ->required()
      ->check(CLI::IsMember({"show", "grant", "revoke"}).description(""))
      ->type_name("show|grant|revoke");
  parser->add_option("KEY", wish->key, "Key of the plugin")->required();
  parser
      ->add_option("PERMISSION", wish->terms,
                   "NAME=VALUE, as network.listen=9192; to revoke, also NAME alone")
      ->type_name("");
  parser->add_flag("--all", wish->all, "Grant all that it asks for, or revoke all that it has");
  parser->add_flag("--now", wish->now, "Restart its worker, so that it takes effect");
  parser->footer(
      "The names are network.outbound, network.listen, filesystem.read, filesystem.write,\n"
      "exec, host, devices, environment, limits.memory_mb, limits.cpus, limits.processes,\n"
      "limits.open_files and limits.disk_mb. What is granted is used from the next start of\n"
      "its worker on.\n\n" +
      exit_code_help());
  return {parser, [wish](SupervisorClient& supervisor, Terminal& terminal) {
            return permissions(supervisor, terminal, *wish);
          }};
}

}  // namespace supervisor::cli
