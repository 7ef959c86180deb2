#include "api_gateway/plugin_json.h"

#include <ctime>

#include "api_gateway/json_text.h"
#include "api_gateway/permissions_json.h"
#include "api_gateway/url.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sys/heartbeat_json.h"
#include "supervisor/sys/limits_json.h"
#include "supervisor/sys/network_json.h"
#include "supervisor/sys/secret_settings.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;

void append_texts(std::string& out, const google::protobuf::RepeatedPtrField<std::string>& texts) {
  out += '[';
  for (int i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, texts[i]);
  }
  out += ']';
}

// What an error body and a load_error have in common, beside code and text.
void write_circumstances(ObjectWriter& object, const supervisor::Failure& failure) {
  if (!failure.plugin().empty()) object.text("plugin", failure.plugin());
  if (!failure.signal().empty()) object.text("signal", failure.signal());
  if (failure.reason() == v1::REASON_WORKER_EXITED || failure.exit_code() != 0)
    object.integer("exit_code", failure.exit_code());
  if (failure.evidence_size() > 0) append_texts(object.member("evidence"), failure.evidence());
}

void append_steps(std::string& out, const v1::StartSteps& steps) {
  ObjectWriter object(out);
  object.real("fork_ms", steps.fork_us() / 1000.0);
  object.real("attach_ms", steps.attach_us() / 1000.0);
  object.real("import_ms", steps.import_us() / 1000.0);
  object.real("construct_ms", steps.construct_us() / 1000.0);
  object.real("ready_ms", steps.ready_us() / 1000.0);
  object.real("total_ms", steps.total_us() / 1000.0);
}

void append_stop(std::string& out, const v1::StopReport& stop) {
  ObjectWriter object(out);
  object.text("reason", stop.reason());
  append_texts(object.member("steps"), stop.steps());
  object.boolean("forced", stop.forced());
  object.integer("ms", stop.ms());
  append_time(object.member("time"), stop.time_unix_ms());
}

std::string state_name(v1::PluginState state) {
  return supervisor::lower_without_prefix(v1::PluginState_Name(state), "PLUGIN_STATE_");
}
void write_origin(ObjectWriter& object, const v1::Plugin& plugin) {
  const bool managed = plugin.source_repo_id() != 0;
  if (managed) {
    object.integer("source_repo", plugin.source_repo_id());
  } else {
    object.null("source_repo");
  }
  object.text_or_null("source_repo_name", plugin.source_repo_name());
  object.boolean("is_official_repo", plugin.is_official_repo());
  object.text("slug", plugin.slug());
  object.boolean("is_managed", managed);
  object.boolean("installed_version_is_prerelease", plugin.installed_version_is_prerelease());
  // No manifest of a repository has been read, so no newer version is known.
  object.boolean("update_available", false);
  object.text("latest_version", "");
  object.boolean("deprecated", plugin.deprecated());
}

void append_sandbox(ObjectWriter& object, const v1::Worker& worker) {
  if (!worker.has_sandbox()) {
    object.null("sandbox_tier");
    object.null("sandbox");
    return;
  }
  const auto& report = worker.sandbox();
  object.integer("sandbox_tier", report.tier());
  ObjectWriter sandbox(object.member("sandbox"));
  sandbox.integer("user", report.user());
  sandbox.integer("landlock_abi", report.landlock_abi());
  sandbox.raw("network", supervisor::sys::network_json(report.network()));
  ObjectWriter protections(sandbox.member("protections"));
  for (const auto& state : report.protections()) {
    ObjectWriter protection(
        protections.member(supervisor::sandbox::protection_name(state.protection())));
    protection.boolean("in_force", state.in_force());
    protection.text("seen_by", state.seen_by());
    protection.text_or_null("because", state.because());
  }
}

}  // namespace

void append_time(std::string& out, std::int64_t unix_ms) {
  if (unix_ms <= 0) {
    out += "null";
    return;
  }
  const std::time_t seconds = unix_ms / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  // Not strftime(): a list of a thousand plugins holds thousands of times.
  char text[] = "\"0000-00-00T00:00:00.000Z\"";
  const auto put = [&text](std::size_t last, std::int64_t number) {
    for (; number > 0; number /= 10) text[last--] = static_cast<char>('0' + number % 10);
  };
  put(4, (utc.tm_year + 1900) % 10000);
  put(7, utc.tm_mon + 1);
  put(10, utc.tm_mday);
  put(13, utc.tm_hour);
  put(16, utc.tm_min);
  put(19, utc.tm_sec);
  put(23, unix_ms % 1000);
  out += text;
}

void append_worker(std::string& out, const v1::Worker& worker) {
  ObjectWriter object(out);
  object.text("state", state_name(worker.state()));
  object.text_or_null("reason", worker.has_failure()
                                    ? supervisor::reason_code(worker.failure().reason())
                                    : std::string());
  if (worker.pid() > 0) {
    object.integer("pid", worker.pid());
  } else {
    object.null("pid");
  }
  append_time(object.member("started_at"), worker.started_at_unix_ms());
  object.boolean("adopted", worker.adopted());
  append_time(object.member("next_start_at"), worker.next_start_unix_ms());
  object.integer("restarts", worker.restarts());
  object.integer("generation", worker.generation());
  append_sandbox(object, worker);
  object.integer("memory_bytes", worker.memory_bytes());
  object.real("cpu_seconds", worker.cpu_seconds());
  object.integer("in_flight", worker.in_flight());
  object.text_or_null("profile", worker.profile());
  if (worker.start_steps().fork_us() > 0) {
    append_steps(object.member("start_steps"), worker.start_steps());
  } else {
    object.null("start_steps");
  }
  if (worker.has_last_stop()) {
    append_stop(object.member("last_stop"), worker.last_stop());
  } else {
    object.null("last_stop");
  }
  if (worker.has_limits()) {
    object.raw("limits", supervisor::sys::limits_json(worker.limits()));
  } else {
    object.null("limits");
  }
  if (worker.has_heartbeat()) {
    object.raw("heartbeat", supervisor::sys::heartbeat_json(worker.heartbeat()));
  } else {
    object.null("heartbeat");
  }
  if (worker.has_last_crash()) {
    append_failure(object.member("last_crash"), worker.last_crash());
  } else {
    object.null("last_crash");
  }
}

void append_why(std::string& out, const v1::WhyResponse& why) {
  ObjectWriter object(out);
  object.text("key", why.plugin().key());
  object.boolean("enabled", why.plugin().enabled());
  object.text("state_means", why.state_means());
  object.text("next_step", why.next_step());
  append_worker(object.member("worker"), why.plugin().worker());
  if (why.plugin().worker().has_failure()) {
    append_failure(object.member("failure"), why.plugin().worker().failure());
  } else {
    object.null("failure");
  }
  std::string& events = object.member("events") += '[';
  for (int i = 0; i < why.events_size(); ++i) {
    if (i > 0) events += ',';
    const v1::LifeEvent& event = why.events(i);
    ObjectWriter step(events);
    append_time(step.member("time"), event.time_unix_ms());
    step.integer("generation", event.generation());
    step.text("from", state_name(event.from()));
    step.text("to", state_name(event.to()));
    if (event.has_failure()) {
      append_failure(step.member("failure"), event.failure());
    } else {
      step.null("failure");
    }
  }
  events += ']';
}

void append_plugin(std::string& out, const v1::Plugin& plugin, std::string_view host,
                   Secrets secrets) {
  const v1::PluginMetadata& metadata = plugin.metadata();
  ObjectWriter object(out);
  object.text("key", plugin.key());
  object.text("name", metadata.name());
  object.text("version", metadata.version());
  object.text("description", metadata.description());
  object.text("author", metadata.author());
  object.text("help_url", metadata.help_url());
  object.boolean("enabled", plugin.enabled());
  object.boolean("ever_enabled", plugin.ever_enabled());
  object.raw("fields", metadata.fields_json(), "[]");
  if (secrets == Secrets::shown) {
    object.raw("settings", plugin.settings_json(), "{}");
  } else {
    object.raw("settings",
               supervisor::sys::with_secrets_masked(plugin.settings_json(), metadata.fields_json()),
               "{}");
  }
  object.raw("actions", metadata.actions_json(), "[]");
  object.raw("ui_schema", metadata.ui_schema_json());
  object.raw("navigation", metadata.navigation_json());
  object.raw("pages", metadata.pages_json());
  object.boolean("missing", plugin.missing());
  object.boolean("trusted", plugin.enabled() || plugin.ever_enabled());
  object.boolean("loaded", plugin.loaded());
  object.boolean("legacy", plugin.legacy());
  if (plugin.has_logo()) {
    object.text("logo_url", "http://" + std::string(host) + "/api/plugins/plugins/" +
                                percent_encode(plugin.key()) + "/logo/");
  } else {
    object.null("logo_url");
  }
  write_origin(object, plugin);
  append_permissions(object.member("permissions"), plugin);
  if (plugin.has_load_error()) {
    append_failure(object.member("load_error"), plugin.load_error());
  } else {
    object.null("load_error");
  }
  append_time(object.member("last_reload"), plugin.last_reload_unix_ms());
  append_texts(object.member("warnings"), plugin.warnings());
  append_worker(object.member("worker"), plugin.worker());
}

void append_log_line(std::string& out, const v1::LogLine& line) {
  using supervisor::lower_without_prefix;
  ObjectWriter object(out);
  append_time(object.member("time"), line.time_unix_us() / 1000);
  object.text("level", lower_without_prefix(v1::LogLevel_Name(line.level()), "LOG_LEVEL_"));
  object.text("source", lower_without_prefix(v1::LogSource_Name(line.source()), "LOG_SOURCE_"));
  object.integer("generation", line.generation());
  object.text("job", line.job());
  object.text("logger", line.logger());
  object.text("text", line.text());
}

void append_failure(std::string& out, const supervisor::Failure& failure) {
  ObjectWriter object(out);
  object.text("code", supervisor::reason_code(failure.reason()));
  object.text("step", failure.step());
  object.text("message", failure.message());
  object.text("hint", failure.hint());
  write_circumstances(object, failure);
}

std::string error_json(const supervisor::Failure& failure) {
  std::string text = failure.message();
  if (!failure.hint().empty()) text.append(text.empty() ? "" : " ").append(failure.hint());
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("success", false);
    object.text("error", text);
    object.text("code", supervisor::reason_code(failure.reason()));
    if (!failure.step().empty()) object.text("step", failure.step());
    if (!failure.hint().empty()) object.text("hint", failure.hint());
    write_circumstances(object, failure);
  }
  return out;
}

}  // namespace gateway
