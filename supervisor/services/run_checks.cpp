#include "supervisor/services/run_checks.h"

namespace supervisor::services {

Failure unknown_plugin(const std::string& key) {
  return make_failure(v1::REASON_PLUGIN_NOT_FOUND, "lookup", "There is no plugin '" + key + "'.",
                      "List the plugins to see their keys; reload if it was just added.", key);
}

std::optional<Failure> run_failure(bool is_known, const std::string& key, const std::string& action,
                                   std::size_t params_bytes, std::size_t max_params_bytes) {
  if (!is_known) return unknown_plugin(key);
  if (action.empty())
    return make_failure(v1::REASON_INVALID_REQUEST, "run", "No action was named.", "", key);
  if (params_bytes > max_params_bytes)
    return make_failure(v1::REASON_REQUEST_TOO_LARGE, "run",
                        "The params have " + std::to_string(params_bytes) + " bytes; at most " +
                            std::to_string(max_params_bytes) + " are taken.",
                        "", key);
  return std::nullopt;
}

}  // namespace supervisor::services
