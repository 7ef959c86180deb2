#include "supervisor/lifecycle/plugin_rendering.h"

#include <algorithm>

#include "supervisor/lifecycle/plugin_state.h"

namespace supervisor::lifecycle {
namespace {

void render_code(const PluginFacts& facts, v1::Plugin& plugin) {
  if (facts.loaded) {
    *plugin.mutable_metadata() = facts.loaded->metadata();
    plugin.mutable_warnings()->CopyFrom(facts.loaded->warnings());
  } else if (facts.entry) {
    *plugin.mutable_metadata() = facts.entry->metadata;
  }
  if (facts.permissions_mistake) plugin.add_warnings(facts.permissions_mistake->message());
  if (!facts.entry) return;
  // The manifest's mistakes stay once the code has loaded; what a syntax tree
  // could not tell does not.
  auto& warnings = *plugin.mutable_warnings();
  for (const auto& warning : facts.entry->warnings) {
    if (facts.loaded && facts.entry->legacy) break;
    if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end())
      plugin.add_warnings(warning);
  }
  plugin.set_has_logo(facts.entry->has_logo);
  plugin.set_legacy(facts.entry->legacy);
  plugin.set_directory(facts.entry->directory_text);
}

void render_row(const PluginFacts& facts, v1::Plugin& plugin) {
  if (!facts.row) {
    plugin.set_settings_json("{}");
    return;
  }
  const auto& row = *facts.row;
  auto& metadata = *plugin.mutable_metadata();
  // A legacy plugin keeps what its code said when it last ran.
  if (!facts.entry) metadata.set_name(row.name);
  if (metadata.version().empty()) metadata.set_version(row.version);
  if (metadata.description().empty()) metadata.set_description(row.description);
  plugin.set_enabled(row.enabled);
  plugin.set_ever_enabled(row.ever_enabled);
  plugin.set_settings_json(row.settings_json);
  plugin.set_source_repo_id(row.source_repo_id);
  plugin.set_source_repo_name(row.source_repo_name);
  plugin.set_is_official_repo(row.is_official_repo);
  plugin.set_slug(row.slug);
  plugin.set_installed_version_is_prerelease(row.installed_version_is_prerelease);
  plugin.set_deprecated(row.deprecated);
}

}  // namespace

v1::Worker render_worker(const PluginFacts& facts, const sys::ProcessStat& usage, Detail detail) {
  v1::Worker worker;
  worker.set_state(facts.state);
  if (facts.failure) *worker.mutable_failure() = *facts.failure;
  if (facts.last_crash) *worker.mutable_last_crash() = *facts.last_crash;
  worker.set_pid(facts.pid);
  worker.set_profile(facts.runtime_name);
  worker.set_started_at_unix_ms(facts.started_at_unix_ms);
  *worker.mutable_start_steps() = facts.start_steps;
  if (facts.last_stop) *worker.mutable_last_stop() = *facts.last_stop;
  worker.set_restarts(facts.restarts);
  worker.set_generation(facts.generation);
  worker.set_next_start_unix_ms(facts.next_start_unix_ms);
  worker.set_adopted(facts.adopted);
  if (facts.sandbox) {
    *worker.mutable_sandbox() = *facts.sandbox;
    if (facts.network) *worker.mutable_sandbox()->mutable_network() = facts.network->report();
  }
  if (facts.link) worker.set_in_flight(facts.link->in_flight());
  if (facts.heartbeat) {
    auto heartbeat = facts.heartbeat->shown();
    if (heartbeat.pulse() != v1::PULSE_UNSPECIFIED)
      *worker.mutable_heartbeat() = std::move(heartbeat);
  }
  if (facts.pid != 0) {
    worker.set_memory_bytes(usage.memory_bytes);
    worker.set_cpu_seconds(usage.cpu_seconds);
    if (facts.limits)
      facts.limits->report(*worker.mutable_limits(), facts.pid, detail == Detail::all);
  }
  return worker;
}

v1::Plugin render_plugin(const PluginFacts& facts, const sys::ProcessStat& usage, Detail detail) {
  v1::Plugin plugin;
  plugin.set_key(facts.key);
  *plugin.mutable_options() = facts.options;
  render_code(facts, plugin);
  render_row(facts, plugin);
  if (plugin.metadata().name().empty()) plugin.mutable_metadata()->set_name(facts.key);
  plugin.set_missing(!facts.entry);
  plugin.set_loaded(facts.loaded.has_value());
  if (!facts.loaded && facts.failure) *plugin.mutable_load_error() = *facts.failure;
  plugin.set_last_reload_unix_ms(facts.last_reload_unix_ms);
  if (auto permissions = facts.consent.report(facts.permissions ? &*facts.permissions : nullptr))
    *plugin.mutable_permissions() = std::move(*permissions);
  *plugin.mutable_worker() = render_worker(facts, usage, detail);
  return plugin;
}

v1::WhyResponse render_why(const PluginFacts& facts, const sys::ProcessStat& usage) {
  v1::WhyResponse why;
  *why.mutable_plugin() = render_plugin(facts, usage, Detail::all);
  why.set_state_means(explain(facts.state));
  why.set_next_step(next_step(facts.state, facts.key, facts.failure ? &*facts.failure : nullptr));
  for (const auto& event : facts.life) *why.add_events() = event;
  return why;
}

}  // namespace supervisor::lifecycle
