#include "supervisor/cli/plugin_view.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/safe_text.h"
#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sys/failure.h"
#include "supervisor/sys/heartbeat_json.h"
#include "supervisor/sys/limits_json.h"
#include "supervisor/sys/network_json.h"
#include "supervisor/sys/plugin_options.h"

namespace supervisor::cli {
namespace {

std::string or_else(const std::string& json, std::string_view otherwise) {
  return json.empty() ? std::string(otherwise) : json;
}

std::string time_or_null(std::int64_t unix_ms) {
  return unix_ms == 0 ? "null" : json_quote(utc_time(unix_ms * 1000));
}

std::string level_name(v1::LogLevel level) {
  return lower_without_prefix(v1::LogLevel_Name(level), "LOG_LEVEL_");
}

std::string source_name(v1::LogSource source) {
  return lower_without_prefix(v1::LogSource_Name(source), "LOG_SOURCE_");
}

}  // namespace

std::string state_name(v1::PluginState state) {
  return lower_without_prefix(v1::PluginState_Name(state), "PLUGIN_STATE_");
}

Table::Cell state_cell(v1::PluginState state) {
  switch (state) {
    case v1::PLUGIN_STATE_RUNNING:
      return {state_name(state), "32"};
    case v1::PLUGIN_STATE_STARTING:
    case v1::PLUGIN_STATE_STOPPING:
    case v1::PLUGIN_STATE_BACKOFF:
      return {state_name(state), "33"};
    case v1::PLUGIN_STATE_LOAD_FAILED:
    case v1::PLUGIN_STATE_QUARANTINED:
    case v1::PLUGIN_STATE_MISSING:
      return {state_name(state), "31"};
    default:
      return {state_name(state)};
  }
}

bool is_unwell(const v1::Worker& worker) {
  switch (worker.heartbeat().pulse()) {
    case v1::PULSE_WEDGED:
    case v1::PULSE_STOPPED:
    case v1::PULSE_SILENT:
      return worker.pid() != 0;
    default:
      return false;
  }
}

std::string reason_word(const v1::Worker& worker) {
  return worker.has_failure() && worker.failure().reason() != v1::REASON_UNSPECIFIED
             ? reason_code(worker.failure().reason())
             : std::string();
}

std::string reason_word(const v1::Plugin& plugin) {
  if (plugin.has_load_error() && plugin.load_error().reason() != v1::REASON_UNSPECIFIED)
    return reason_code(plugin.load_error().reason());
  return reason_word(plugin.worker());
}

std::string crash_word(const v1::Worker& worker) {
  if (!worker.has_last_crash()) return {};
  const v1::Failure& crash = worker.last_crash();
  if (crash.reason() == v1::REASON_WORKER_KILLED_BY_SIGNAL) return crash.signal();
  if (crash.reason() == v1::REASON_WORKER_EXITED)
    return "exit " + std::to_string(crash.exit_code());
  return reason_code(crash.reason());
}

std::string utc_time(std::int64_t unix_us) {
  if (unix_us == 0) return {};
  const std::time_t seconds = unix_us / 1'000'000;
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                parts.tm_sec, static_cast<int>(unix_us / 1000 % 1000));
  return text.data();
}

std::string memory_text(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text.data();
}

std::string failure_json(const v1::Failure& failure) {
  JsonWriter evidence('[');
  for (const std::string& line : failure.evidence()) evidence.element(json_quote(line));
  JsonWriter json('{');
  json.text("code", reason_code(failure.reason()))
      .text("step", failure.step())
      .text("message", failure.message())
      .text("hint", failure.hint())
      .text("plugin", failure.plugin())
      .raw("evidence", std::move(evidence).finish())
      .text("signal", failure.signal())
      .number("exit_code", failure.exit_code());
  return std::move(json).finish();
}

namespace {

std::string milliseconds(std::uint32_t us) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", us / 1000.0);
  return text.data();
}

std::string steps_json(const v1::StartSteps& steps) {
  JsonWriter json('{');
  json.raw("fork_ms", milliseconds(steps.fork_us()))
      .raw("attach_ms", milliseconds(steps.attach_us()))
      .raw("import_ms", milliseconds(steps.import_us()))
      .raw("construct_ms", milliseconds(steps.construct_us()))
      .raw("ready_ms", milliseconds(steps.ready_us()))
      .raw("total_ms", milliseconds(steps.total_us()));
  return std::move(json).finish();
}

std::string stop_json(const v1::StopReport& stop) {
  JsonWriter steps('[');
  for (const std::string& step : stop.steps()) steps.element(json_quote(step));
  JsonWriter json('{');
  json.text("reason", stop.reason())
      .raw("steps", std::move(steps).finish())
      .boolean("forced", stop.forced())
      .number("ms", stop.ms())
      .raw("time", time_or_null(stop.time_unix_ms()));
  return std::move(json).finish();
}

std::string sandbox_json(const v1::SandboxReport& report) {
  JsonWriter protections('{');
  for (const auto& state : report.protections()) {
    JsonWriter one('{');
    one.boolean("in_force", state.in_force())
        .text("seen_by", state.seen_by())
        .raw("because", state.because().empty() ? "null" : json_quote(state.because()));
    protections.raw(sandbox::protection_name(state.protection()), std::move(one).finish());
  }
  JsonWriter json('{');
  json.number("user", report.user())
      .number("landlock_abi", report.landlock_abi())
      .raw("network", sys::network_json(report.network()))
      .raw("protections", std::move(protections).finish());
  return std::move(json).finish();
}

}  // namespace

std::string worker_json(const v1::Worker& worker) {
  const std::string reason = reason_word(worker);
  JsonWriter json('{');
  json.text("state", state_name(worker.state()))
      .raw("reason", reason.empty() ? "null" : json_quote(reason))
      .raw("failure", worker.has_failure() ? failure_json(worker.failure()) : "null")
      .raw("last_crash", worker.has_last_crash() ? failure_json(worker.last_crash()) : "null")
      .raw("pid", worker.pid() == 0 ? "null" : std::to_string(worker.pid()))
      .raw("started_at", time_or_null(worker.started_at_unix_ms()))
      .boolean("adopted", worker.adopted())
      .raw("next_start_at", time_or_null(worker.next_start_unix_ms()))
      .raw("profile", worker.profile().empty() ? "null" : json_quote(worker.profile()))
      .raw("start_steps",
           worker.start_steps().fork_us() == 0 ? "null" : steps_json(worker.start_steps()))
      .raw("last_stop", worker.has_last_stop() ? stop_json(worker.last_stop()) : "null")
      .raw("limits", worker.has_limits() ? sys::limits_json(worker.limits()) : "null")
      .raw("heartbeat", worker.has_heartbeat() ? sys::heartbeat_json(worker.heartbeat()) : "null")
      .raw("sandbox_tier", worker.has_sandbox() ? std::to_string(worker.sandbox().tier()) : "null")
      .raw("sandbox", worker.has_sandbox() ? sandbox_json(worker.sandbox()) : "null")
      .number("restarts", worker.restarts())
      .number("generation", worker.generation())
      .number("in_flight", worker.in_flight())
      .number("memory_bytes", worker.memory_bytes())
      .number("cpu_seconds", worker.cpu_seconds());
  return std::move(json).finish();
}

std::string permissions_report_json(const v1::PermissionsReport& report) {
  const auto json_or_null = [](bool known, const v1::Permissions& permissions) {
    return known ? sandbox::permissions_json(permissions) : std::string("null");
  };
  JsonWriter json('{');
  json.raw("asked", json_or_null(report.has_asked(), report.asked()))
      .raw("granted", json_or_null(report.has_granted(), report.granted()))
      .raw("effective", json_or_null(true, report.effective()))
      .raw("waiting", json_or_null(report.has_waiting(), report.waiting()))
      .raw("granted_by", report.granted_by().empty() ? "null" : json_quote(report.granted_by()))
      .raw("granted_at", time_or_null(report.granted_unix_ms()))
      .boolean("outdated", report.outdated());
  return std::move(json).finish();
}

std::string plugin_json(const v1::Plugin& plugin) {
  const v1::PluginMetadata& about = plugin.metadata();
  JsonWriter warnings('[');
  for (const std::string& warning : plugin.warnings()) warnings.element(json_quote(warning));
  JsonWriter json('{');
  json.text("key", plugin.key())
      .text("name", about.name())
      .text("version", about.version())
      .text("description", about.description())
      .text("author", about.author())
      .text("help_url", about.help_url())
      .boolean("enabled", plugin.enabled())
      .boolean("ever_enabled", plugin.ever_enabled())
      .raw("fields", or_else(about.fields_json(), "[]"))
      .raw("settings", or_else(plugin.settings_json(), "{}"))
      .raw("actions", or_else(about.actions_json(), "[]"))
      .raw("ui_schema", or_else(about.ui_schema_json(), "null"))
      .raw("navigation", or_else(about.navigation_json(), "null"))
      .raw("pages", or_else(about.pages_json(), "null"))
      .raw("permissions", permissions_report_json(plugin.permissions()))
      .boolean("missing", plugin.missing())
      .boolean("loaded", plugin.loaded())
      .boolean("legacy", plugin.legacy())
      .boolean("has_logo", plugin.has_logo())
      .raw("load_error", plugin.has_load_error() ? failure_json(plugin.load_error()) : "null")
      .raw("last_reload", time_or_null(plugin.last_reload_unix_ms()))
      .raw("warnings", std::move(warnings).finish())
      .raw("worker", worker_json(plugin.worker()))
      .raw("options", sys::plugin_options_json(plugin.options(), true))
      .raw("source_repo", plugin.source_repo_id() == 0 ? std::string("null")
                                                       : std::to_string(plugin.source_repo_id()))
      .text("source_repo_name", plugin.source_repo_name())
      .boolean("is_official_repo", plugin.is_official_repo())
      .text("slug", plugin.slug())
      .boolean("installed_version_is_prerelease", plugin.installed_version_is_prerelease())
      .boolean("deprecated", plugin.deprecated())
      .text("directory", plugin.directory());
  return std::move(json).finish();
}

std::string log_line_json(const v1::LogLine& line) {
  JsonWriter json('{');
  json.text("time", utc_time(line.time_unix_us()))
      .text("level", level_name(line.level()))
      .text("source", source_name(line.source()))
      .number("generation", line.generation())
      .text("job", line.job())
      .text("logger", line.logger())
      .text("text", line.text());
  return std::move(json).finish();
}

std::string log_line_text(const v1::LogLine& line) {
  const auto padded = [](std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
  };
  return utc_time(line.time_unix_us()) + " " + padded(level_name(line.level()), 8) + " " +
         padded(source_name(line.source()), 10) + " " +
         (line.job().empty() ? std::string() : "[" + safe_line(line.job()) + "] ") +
         (line.logger().empty() ? std::string() : safe_line(line.logger()) + ": ") +
         safe_lines(line.text());
}

}  // namespace supervisor::cli
