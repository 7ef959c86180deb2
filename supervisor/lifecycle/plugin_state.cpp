#include "supervisor/lifecycle/plugin_state.h"

#include <algorithm>

namespace supervisor::lifecycle {
namespace {

using enum v1::PluginState;

constexpr Transition table[] = {
    {PLUGIN_STATE_DISABLED, PLUGIN_STATE_STARTING, "enabled"},
    {PLUGIN_STATE_DISABLED, PLUGIN_STATE_LOAD_FAILED, "enabled, but its files cannot be loaded"},
    {PLUGIN_STATE_DISABLED, PLUGIN_STATE_BACKOFF,
     "known to wait, after the supervisor was started"},
    {PLUGIN_STATE_DISABLED, PLUGIN_STATE_QUARANTINED,
     "known as quarantined, after the supervisor was started"},
    {PLUGIN_STATE_DISABLED, PLUGIN_STATE_STOPPED,
     "ended while there was no supervisor, and not to be started again"},
    {PLUGIN_STATE_DISABLED, PLUGIN_STATE_MISSING, "files gone"},
    {PLUGIN_STATE_STARTING, PLUGIN_STATE_RUNNING, "loaded and constructed"},
    {PLUGIN_STATE_STARTING, PLUGIN_STATE_LOAD_FAILED, "import, construction or attach failed"},
    {PLUGIN_STATE_STARTING, PLUGIN_STATE_STOPPING, "disabled, reloaded or shut down meanwhile"},
    {PLUGIN_STATE_STARTING, PLUGIN_STATE_BACKOFF,
     "killed before it had loaded, or not taken over from an earlier supervisor; crashed before"},
    {PLUGIN_STATE_STARTING, PLUGIN_STATE_QUARANTINED,
     "killed before it had loaded, or not taken over from an earlier supervisor; crashed too "
     "often"},
    {PLUGIN_STATE_RUNNING, PLUGIN_STATE_STOPPING, "disabled, reloaded, removed or shut down"},
    {PLUGIN_STATE_RUNNING, PLUGIN_STATE_STARTING, "crashed; first crash restarts at once"},
    {PLUGIN_STATE_RUNNING, PLUGIN_STATE_BACKOFF, "crashed again"},
    {PLUGIN_STATE_RUNNING, PLUGIN_STATE_QUARANTINED, "crashed too often"},
    {PLUGIN_STATE_STOPPING, PLUGIN_STATE_STOPPED, "no process is left"},
    {PLUGIN_STATE_STOPPED, PLUGIN_STATE_DISABLED, "not enabled"},
    {PLUGIN_STATE_STOPPED, PLUGIN_STATE_STARTING, "still enabled (reload, restart)"},
    {PLUGIN_STATE_STOPPED, PLUGIN_STATE_LOAD_FAILED, "still enabled, files cannot be loaded"},
    {PLUGIN_STATE_STOPPED, PLUGIN_STATE_MISSING, "files gone"},
    {PLUGIN_STATE_LOAD_FAILED, PLUGIN_STATE_STARTING, "files or settings changed, or reload"},
    {PLUGIN_STATE_LOAD_FAILED, PLUGIN_STATE_DISABLED, "disabled"},
    {PLUGIN_STATE_LOAD_FAILED, PLUGIN_STATE_MISSING, "files gone"},
    {PLUGIN_STATE_LOAD_FAILED, PLUGIN_STATE_STOPPED, "shut down"},
    {PLUGIN_STATE_BACKOFF, PLUGIN_STATE_STARTING, "delay over, or reload"},
    {PLUGIN_STATE_BACKOFF, PLUGIN_STATE_LOAD_FAILED, "files cannot be loaded any more"},
    {PLUGIN_STATE_BACKOFF, PLUGIN_STATE_DISABLED, "disabled"},
    {PLUGIN_STATE_BACKOFF, PLUGIN_STATE_MISSING, "files gone"},
    {PLUGIN_STATE_BACKOFF, PLUGIN_STATE_STOPPED, "shut down"},
    {PLUGIN_STATE_QUARANTINED, PLUGIN_STATE_STARTING, "unquarantined, started or reloaded"},
    {PLUGIN_STATE_QUARANTINED, PLUGIN_STATE_LOAD_FAILED, "files cannot be loaded any more"},
    {PLUGIN_STATE_QUARANTINED, PLUGIN_STATE_DISABLED, "disabled"},
    {PLUGIN_STATE_QUARANTINED, PLUGIN_STATE_MISSING, "files gone"},
    {PLUGIN_STATE_QUARANTINED, PLUGIN_STATE_STOPPED, "stopped by an admin, or shut down"},
    {PLUGIN_STATE_MISSING, PLUGIN_STATE_STOPPED, "files are back, but an admin has stopped it"},
    {PLUGIN_STATE_MISSING, PLUGIN_STATE_BACKOFF, "files are back, but it waits after a crash"},
    {PLUGIN_STATE_MISSING, PLUGIN_STATE_QUARANTINED, "files are back, but it is quarantined"},
    {PLUGIN_STATE_LOAD_FAILED, PLUGIN_STATE_BACKOFF, "loadable again, but it waits after a crash"},
    {PLUGIN_STATE_LOAD_FAILED, PLUGIN_STATE_QUARANTINED, "loadable again, but quarantined"},
    {PLUGIN_STATE_MISSING, PLUGIN_STATE_DISABLED, "files are back, not enabled"},
    {PLUGIN_STATE_MISSING, PLUGIN_STATE_STARTING, "files are back, enabled"},
    {PLUGIN_STATE_MISSING, PLUGIN_STATE_LOAD_FAILED, "files are back, but cannot be loaded"},
};

}  // namespace

std::span<const Transition> transitions() { return table; }

bool is_allowed(v1::PluginState from, v1::PluginState to) {
  return std::any_of(std::begin(table), std::end(table),
                     [&](const Transition& t) { return t.from == from && t.to == to; });
}

std::string state_name(v1::PluginState state) {
  return lower_without_prefix(v1::PluginState_Name(state), "PLUGIN_STATE_");
}

const char* explain(v1::PluginState state) {
  switch (state) {
    case PLUGIN_STATE_DISABLED:
      return "Not enabled; there is no process.";
    case PLUGIN_STATE_STARTING:
      return "A worker is being launched and loads the code.";
    case PLUGIN_STATE_RUNNING:
      return "The worker answers calls.";
    case PLUGIN_STATE_STOPPING:
      return "The worker is being stopped.";
    case PLUGIN_STATE_STOPPED:
      return "Enabled, but no process is wanted now.";
    case PLUGIN_STATE_LOAD_FAILED:
      return "The code did not load; it is tried again when files or settings change, or on "
             "reload.";
    case PLUGIN_STATE_BACKOFF:
      return "The worker crashed; the next start is scheduled.";
    case PLUGIN_STATE_QUARANTINED:
      return "The worker crashed too often; an admin must act.";
    case PLUGIN_STATE_MISSING:
      return "The files are gone; the settings are kept.";
    default:
      return "Unknown.";
  }
}

std::string next_step(v1::PluginState state, const std::string& key, const Failure* failure) {
  const std::string pluginctl = "pluginctl ";
  switch (state) {
    case PLUGIN_STATE_DISABLED:
      return "Run it with " + pluginctl + "enable " + key + ".";
    case PLUGIN_STATE_STOPPED:
      return "Run it with " + pluginctl + "start " + key + ".";
    case PLUGIN_STATE_BACKOFF:
      return "It starts again by itself; " + pluginctl + "start " + key + " does so now.";
    case PLUGIN_STATE_QUARANTINED:
      return "Look at the evidence and " + pluginctl + "logs " + key +
             "; when the cause is gone: " + pluginctl + "unquarantine " + key + ".";
    case PLUGIN_STATE_MISSING:
      return "Put its directory back, or disable it.";
    case PLUGIN_STATE_LOAD_FAILED:
      return failure != nullptr && !failure->hint().empty()
                 ? failure->hint()
                 : "Mend its files: it is tried again when they or its settings change.";
    default:
      return {};
  }
}

bool is_settled(v1::PluginState state) {
  return state != PLUGIN_STATE_STARTING && state != PLUGIN_STATE_STOPPING &&
         state != PLUGIN_STATE_UNSPECIFIED;
}

Failure refusal(v1::PluginState state, const std::string& plugin, const Failure* cause) {
  const std::string name = "Plugin '" + plugin + "' ";
  const auto with_cause = [&](Failure failure) {
    if (cause != nullptr && !cause->message().empty()) {
      failure.set_message(failure.message() + " " + cause->message());
      failure.mutable_evidence()->CopyFrom(cause->evidence());
      if (failure.hint().empty()) failure.set_hint(cause->hint());
      failure.set_signal(cause->signal());
      failure.set_exit_code(cause->exit_code());
    }
    return failure;
  };
  switch (state) {
    case PLUGIN_STATE_DISABLED:
      return make_failure(v1::REASON_PLUGIN_DISABLED, "run", name + "is disabled.",
                          "Enable it first.", plugin);
    case PLUGIN_STATE_STARTING:
      return make_failure(v1::REASON_STARTING, "run", name + "is starting.",
                          "Try again in a moment.", plugin);
    case PLUGIN_STATE_STOPPED:
      return make_failure(v1::REASON_STOPPING, "run", name + "is stopped.",
                          "Start it with pluginctl start " + plugin + ".", plugin);
    case PLUGIN_STATE_STOPPING:
      return make_failure(v1::REASON_STOPPING, "run", name + "is being stopped.",
                          "Try again in a moment.", plugin);
    case PLUGIN_STATE_LOAD_FAILED:
      return with_cause(make_failure(v1::REASON_NOT_LOADED, "run", name + "is not loaded.",
                                     cause != nullptr ? cause->hint() : "", plugin));
    case PLUGIN_STATE_BACKOFF:
      return with_cause(make_failure(v1::REASON_BACKOFF, "run",
                                     name + "crashed and waits for its next start.",
                                     "Try again later, or reload the plugin.", plugin));
    case PLUGIN_STATE_QUARANTINED:
      return with_cause(make_failure(v1::REASON_QUARANTINED, "run",
                                     name + "crashed too often and is quarantined.",
                                     "When the cause is gone: pluginctl unquarantine " + plugin +
                                         ", or disable and enable it.",
                                     plugin));
    case PLUGIN_STATE_MISSING:
      return make_failure(v1::REASON_FILES_MISSING, "run", name + "has no files any more.",
                          "Put its directory back, or delete the plugin.", plugin);
    default:
      return make_failure(v1::REASON_INTERNAL, "run", name + "is in no known state.", "", plugin);
  }
}

}  // namespace supervisor::lifecycle
