#include "supervisor/cli/settling.h"

#include "supervisor/cli/plugin_view.h"

namespace supervisor::cli {

std::optional<Failure> unsettled(const v1::Plugin& plugin, bool wanted_enabled) {
  const v1::Worker& worker = plugin.worker();
  const std::string& key = plugin.key();
  if (!wanted_enabled) {
    if (worker.pid() == 0 && worker.state() != v1::PLUGIN_STATE_STOPPING) return std::nullopt;
    return make_failure(
        v1::REASON_DEADLINE_EXCEEDED, "stop",
        "\"" + key + "\" is disabled, but its worker has not ended yet.",
        "It is ended by force when its grace is over; see pluginctl show " + key + ".", key);
  }
  switch (worker.state()) {
    case v1::PLUGIN_STATE_RUNNING:
      return std::nullopt;
    case v1::PLUGIN_STATE_STARTING:
    case v1::PLUGIN_STATE_STOPPING:
      return make_failure(
          v1::REASON_DEADLINE_EXCEEDED, "start",
          "\"" + key + "\" is enabled, but still " + state_name(worker.state()) + ".",
          "Look again with pluginctl show " + key + ".", key);
    default:
      break;
  }
  if (plugin.has_load_error()) return plugin.load_error();
  if (worker.has_failure()) return worker.failure();
  return make_failure(v1::REASON_NOT_LOADED, "start",
                      "\"" + key + "\" is enabled, but " + state_name(worker.state()) + ".",
                      "See pluginctl logs " + key + ".", key);
}

}  // namespace supervisor::cli
