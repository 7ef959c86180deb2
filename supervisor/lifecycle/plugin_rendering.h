// How what is known of a plugin is shown over the API. Pure functions of the
// facts, but for what a worker uses at the moment.
#pragma once

#include "plugin_supervisor/v1/plugin.pb.h"
#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/lifecycle/plugin_facts.h"
#include "supervisor/sys/process_stat.h"

namespace supervisor::lifecycle {

/// How much is looked up: what a plugin uses at the moment costs a few reads of
/// kernel files, which a list of many plugins does without.
enum class Detail { listed, all };

/// `usage` is its worker's, as sampled last.
v1::Worker render_worker(const PluginFacts& facts, const sys::ProcessStat& usage, Detail detail);
v1::Plugin render_plugin(const PluginFacts& facts, const sys::ProcessStat& usage, Detail detail);
/// The story of its present state.
v1::WhyResponse render_why(const PluginFacts& facts, const sys::ProcessStat& usage);

}  // namespace supervisor::lifecycle
