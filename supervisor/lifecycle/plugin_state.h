// The states of a plugin's life, and which may follow which. The table is
// what the code checks, the tests walk and the documentation shows.
#pragma once

#include <span>
#include <string>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "supervisor/sys/failure.h"

namespace supervisor::lifecycle {

struct Transition {
  v1::PluginState from;
  v1::PluginState to;
  const char* when;
};

/// Every allowed transition.
std::span<const Transition> transitions();

[[nodiscard]] bool is_allowed(v1::PluginState from, v1::PluginState to);

/// "running", "load_failed": as in JSON.
std::string state_name(v1::PluginState state);

/// One sentence on what the state means for a user.
const char* explain(v1::PluginState state);

/// What an admin can do about it; empty when nothing needs doing. `failure`
/// may be null.
std::string next_step(v1::PluginState state, const std::string& key, const Failure* failure);

/// True for the states in which nothing is under way.
[[nodiscard]] bool is_settled(v1::PluginState state);

/// Why a call is refused in `state`.
Failure refusal(v1::PluginState state, const std::string& plugin, const Failure* cause);

}  // namespace supervisor::lifecycle
