// limits: what a plugin may use, what sees to it, and how much it uses; and
// setting them.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>

#include "supervisor/cli/duration.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/plugin_view.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/cli/settling.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/verb.h"
#include "supervisor/sys/limits_json.h"
#include "supervisor/sys/plugin_options.h"
#include "supervisor/sys/size_text.h"

namespace supervisor::cli {
namespace {

constexpr const char* as_default = "default";

struct Wish {
  std::string key;
  std::string changes;  // Members of a JSON object, as the options are changed by.
  bool reset = false;
  bool now = false;

  void change(const std::string& name, const std::string& json) {
    changes += (changes.empty() ? "" : ", ") + json_quote(name) + ": " + json;
  }
};

// One option of the command line for one of the options of a plugin. `value`
// makes JSON of the text, or nothing when it makes no sense.
void add_change(CLI::App& parser, const std::shared_ptr<Wish>& wish, const std::string& flag,
                const std::string& name, const std::string& type, const std::string& what,
                std::function<std::optional<std::string>(const std::string&)> value) {
  parser
      .add_option_function<std::string>(
          flag,
          [wish, flag, name, type, value = std::move(value)](const std::string& text) {
            const auto json = text == as_default ? std::optional<std::string>("null") : value(text);
            if (!json)
              throw CLI::ValidationError(
                  flag, "\"" + text + "\" is not " + type + ", or \"" + as_default + "\"");
            wish->change(name, *json);
          },
          what)
      ->type_name(type);
}

std::optional<std::string> size_json(const std::string& text) {
  const auto size = sys::parse_size(text);
  return size ? std::optional(std::to_string(*size)) : std::nullopt;
}

std::optional<std::string> number_json(const std::string& text) {
  if (text == "none") return "0";
  const bool digits = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
  return digits && text.front() != '.' && text.back() != '.' ? std::optional(text) : std::nullopt;
}

std::optional<std::string> duration_json(const std::string& text) {
  const auto duration = parse_duration(text);
  return duration ? std::optional(std::to_string(duration->count())) : std::nullopt;
}

std::string number_text(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", number);
  return text.data();
}

std::string count_text(std::uint32_t count) { return count == 0 ? "none" : std::to_string(count); }

// What sees to a limit, as one reads it.
std::string by_text(bool limited, v1::LimitMechanism by) {
  if (!limited) return "";
  if (by == v1::LIMIT_MECHANISM_NONE) return "nothing: not enforced here";
  std::string name = sys::mechanism_name(by);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string limits_text(const v1::Plugin& plugin, bool colours) {
  const auto& set = plugin.options();
  const bool runs = plugin.worker().has_limits();
  const auto& now = plugin.worker().limits();
  const auto in_force = [runs](std::string text) { return runs ? std::move(text) : std::string(); };
  const auto used = [](std::uint64_t amount, std::string text) {
    return amount == 0 ? std::string() : std::move(text);
  };
  Table table({{"LIMIT"}, {"SET"}, {"IN FORCE"}, {"BY"}, {"USED", Table::Align::right}});
  table.add_row({{"memory"},
                 {set.has_memory_bytes() ? sys::size_text(set.memory_bytes()) : ""},
                 {in_force(sys::size_text(now.memory_bytes()))},
                 {by_text(now.memory_bytes() != 0, now.memory_by())},
                 {used(now.memory_used_bytes(), memory_text(now.memory_used_bytes()))}});
  table.add_row({{"cpus"},
                 {set.has_cpus() ? (set.cpus() == 0 ? "none" : number_text(set.cpus())) : ""},
                 {in_force(now.cpus() == 0 ? "none" : number_text(now.cpus()))},
                 {by_text(now.cpus() != 0, now.cpus_by())},
                 {}});
  table.add_row({{"processes"},
                 {set.has_processes() ? count_text(set.processes()) : ""},
                 {in_force(count_text(now.processes()))},
                 {by_text(now.processes() != 0, now.processes_by())},
                 {used(now.processes_used(), std::to_string(now.processes_used()))}});
  table.add_row({{"open files"},
                 {set.has_open_files() ? count_text(set.open_files()) : ""},
                 {in_force(count_text(now.open_files()))},
                 {by_text(now.open_files() != 0, now.open_files_by())},
                 {used(now.open_files_used(), std::to_string(now.open_files_used()))}});
  table.add_row({{"disk"},
                 {set.has_disk_bytes() ? sys::size_text(set.disk_bytes()) : ""},
                 {in_force(sys::size_text(now.disk_bytes()))},
                 {by_text(now.disk_bytes() != 0, now.disk_by())},
                 {used(now.disk_used_bytes(), memory_text(now.disk_used_bytes()))}});
  std::string text = table.render(colours);
  const auto line = [&text](const char* name, bool is_set, const std::string& value) {
    if (is_set) text += std::string(name) + ": " + value + "\n";
  };
  line("disk", now.disk_full(), "full: files cannot grow until something is removed");
  line("time to stop", set.has_stop_timeout_ms(), std::to_string(set.stop_timeout_ms()) + " ms");
  line("time of a call", set.has_call_timeout_ms(), std::to_string(set.call_timeout_ms()) + " ms");
  line("calls in flight", set.has_max_in_flight(), std::to_string(set.max_in_flight()));
  line("profile", set.has_profile(), safe_line(set.profile()));
  line("sandbox", set.has_sandbox(), safe_line(set.sandbox()));
  return text;
}

std::string limits_of(const v1::Plugin& plugin) {
  JsonWriter json('{');
  json.boolean("success", true)
      .text("key", plugin.key())
      .raw("options", sys::plugin_options_json(plugin.options(), true))
      .raw("limits", plugin.worker().has_limits() ? sys::limits_json(plugin.worker().limits())
                                                  : std::string("null"));
  return std::move(json).finish();
}

ExitCode limits(SupervisorClient& supervisor, Terminal& terminal, const Wish& wish) {
  auto plugin = supervisor.get(wish.key);
  if (!plugin) return terminal.fail(plugin.error());
  const bool changes = wish.reset || !wish.changes.empty();
  if (changes) {
    const auto before = wish.reset ? v1::PluginOptions() : plugin->options();
    const auto options = sys::with_changes(before, "{" + wish.changes + "}");
    if (!options) return terminal.fail(options.error());
    plugin = supervisor.set_options(wish.key, *options);
    if (!plugin) return terminal.fail(plugin.error());
  }
  const bool runs = plugin->worker().pid() != 0;
  if (wish.now && runs) {
    const auto restarted =
        supervisor.control(wish.key, v1::CONTROL_ACTION_RESTART, SupervisorClient::Duration(0));
    if (!restarted) return terminal.fail(restarted.error());
    if (const auto failure = unsettled(*restarted, true)) return terminal.fail(*failure);
    plugin = supervisor.get(wish.key);
    if (!plugin) return terminal.fail(plugin.error());
  }
  if (terminal.json()) {
    terminal.print_json(limits_of(*plugin));
    return ExitCode::ok;
  }
  terminal.print(limits_text(*plugin, terminal.colours()));
  if (changes && runs && !wish.now)
    terminal.print(
        "Limits take effect when its worker is started the next time (--now restarts "
        "it); timeouts have already.\n");
  return ExitCode::ok;
}

}  // namespace

Verb limits_verb(CLI::App& root) {
  CLI::App* parser =
      root.add_subcommand("limits", "Show or set what a plugin may use, and how much it uses");
  const auto wish = std::make_shared<Wish>();
  parser->add_option("KEY", wish->key, "Key of the plugin")->required();
  add_change(*parser, wish, "--memory", "memory_bytes", "SIZE",
             "Memory of its worker and all it starts: 512m, 2g, none", size_json);
  add_change(*parser, wish, "--cpus", "cpus", "NUMBER", "Processors' worth of time: 0.5, 2, none",
             number_json);
  add_change(*parser, wish, "--processes", "processes", "NUMBER", "Processes and threads, or none",
             number_json);
  add_change(*parser, wish, "--open-files", "open_files", "NUMBER",
             "Open files of each process, or none", number_json);
  add_change(*parser, wish, "--disk", "disk_bytes", "SIZE",
             "Disk space of its data directory: 512m, 2g, none", size_json);
  add_change(*parser, wish, "--stop-timeout", "stop_timeout_ms", "DURATION",
             "For its stop(), before it is ended by force", duration_json);
  add_change(*parser, wish, "--call-timeout", "call_timeout_ms", "DURATION",
             "Deadline of a call that names none", duration_json);
  add_change(*parser, wish, "--max-in-flight", "max_in_flight", "NUMBER",
             "Calls waiting or running", number_json);
  add_change(*parser, wish, "--profile", "profile", "NAME", "Runtime profile of its worker",
             [](const std::string& text) { return std::optional(json_quote(text)); });
  add_change(*parser, wish, "--sandbox", "sandbox", "NAME=MODE,...",
             "Protections of its worker over the daemon's: files=off,network=required",
             [](const std::string& text) { return std::optional(json_quote(text)); });
  parser->add_flag("--reset", wish->reset, "First forget everything that is set for it");
  parser->add_flag("--now", wish->now, "Restart its worker, so that they take effect");
  parser->footer("The value \"default\" forgets a single setting.\n\n" + exit_code_help());
  return {parser, [wish](SupervisorClient& supervisor, Terminal& terminal) {
            return limits(supervisor, terminal, *wish);
          }};
}

}  // namespace supervisor::cli
