#include "api_gateway/router.h"

#include <array>
#include <stdexcept>

#include "api_gateway/url.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;

constexpr std::string_view reads = "GET, HEAD";
constexpr std::string_view posts = "POST";

constexpr std::array rules{
    EndpointRules{Endpoint::plugins, reads, false},
    EndpointRules{Endpoint::reload, posts, false},
    EndpointRules{Endpoint::settings, posts, false},
    EndpointRules{Endpoint::run, posts, false},
    EndpointRules{Endpoint::enabled, posts, false},
    EndpointRules{Endpoint::logo, reads, true},
    EndpointRules{Endpoint::resource, posts, false},
    EndpointRules{Endpoint::healthz, reads, true},
    EndpointRules{Endpoint::readyz, reads, true},
    EndpointRules{Endpoint::metrics, reads, false},
    EndpointRules{Endpoint::workers, reads, false},
    EndpointRules{Endpoint::worker, reads, false},
    EndpointRules{Endpoint::control, posts, false},
    EndpointRules{Endpoint::dump_stacks, posts, false},
    EndpointRules{Endpoint::options, "GET, HEAD, PUT, PATCH", false},
    EndpointRules{Endpoint::permissions, "GET, HEAD, PUT", false},
    EndpointRules{Endpoint::logs, reads, false},
    EndpointRules{Endpoint::jobs, reads, false},
    EndpointRules{Endpoint::audit, reads, false},
    EndpointRules{Endpoint::job, "GET, HEAD, DELETE", false},
};

struct Path {
  std::string_view path;
  Endpoint endpoint;
};

// Whole paths, without the trailing slash.
constexpr std::array whole_paths{
    Path{"/api/plugins/plugins", Endpoint::plugins},
    Path{"/api/plugins/plugins/reload", Endpoint::reload},
    Path{"/api/supervisor/workers", Endpoint::workers},
    Path{"/api/supervisor/jobs", Endpoint::jobs},
    Path{"/api/supervisor/audit", Endpoint::audit},
    Path{"/healthz", Endpoint::healthz},
    Path{"/readyz", Endpoint::readyz},
    Path{"/metrics", Endpoint::metrics},
};

// What follows /api/plugins/plugins/<key>/.
constexpr std::array plugin_paths{
    Path{"run", Endpoint::run},
    Path{"settings", Endpoint::settings},
    Path{"enabled", Endpoint::enabled},
    Path{"logo", Endpoint::logo},
    Path{"ui/resource", Endpoint::resource},
};

struct Control {
  std::string_view path;
  v1::ControlAction action;
};

// What follows /api/supervisor/workers/<key>/.
constexpr std::array controls{
    Control{"start", v1::CONTROL_ACTION_START},
    Control{"stop", v1::CONTROL_ACTION_STOP},
    Control{"restart", v1::CONTROL_ACTION_RESTART},
    Control{"kill", v1::CONTROL_ACTION_KILL},
    Control{"unquarantine", v1::CONTROL_ACTION_UNQUARANTINE},
};

constexpr std::string_view plugin_prefix = "/api/plugins/plugins/";
constexpr std::string_view worker_prefix = "/api/supervisor/workers/";
constexpr std::string_view job_prefix = "/api/supervisor/jobs/";

Route with_key(Endpoint endpoint, std::string_view encoded,
               v1::ControlAction action = v1::CONTROL_ACTION_UNSPECIFIED) {
  auto key = percent_decode(encoded);
  if (!key) return {Endpoint::malformed};
  return {endpoint, std::move(*key), action};
}

Route worker_route(std::string_view path) {
  const auto slash = path.find('/');
  if (slash == 0 || path.empty()) return {};
  if (slash == std::string_view::npos) return with_key(Endpoint::worker, path);
  if (path.substr(slash + 1) == "dump-stacks")
    return with_key(Endpoint::dump_stacks, path.substr(0, slash));
  if (path.substr(slash + 1) == "options")
    return with_key(Endpoint::options, path.substr(0, slash));
  if (path.substr(slash + 1) == "permissions")
    return with_key(Endpoint::permissions, path.substr(0, slash));
  if (path.substr(slash + 1) == "logs") return with_key(Endpoint::logs, path.substr(0, slash));
  for (const auto& known : controls)
    if (path.substr(slash + 1) == known.path)
      return with_key(Endpoint::control, path.substr(0, slash), known.action);
  return {};
}

}  // namespace

Route route_of(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  for (const auto& known : whole_paths)
    if (path == known.path) return {known.endpoint};
  if (path.starts_with(worker_prefix)) return worker_route(path.substr(worker_prefix.size()));
  if (path.starts_with(job_prefix)) {
    path.remove_prefix(job_prefix.size());
    if (path.empty() || path.find('/') != std::string_view::npos) return {};
    return with_key(Endpoint::job, path);
  }
  if (!path.starts_with(plugin_prefix)) return {};

  // The path is cut before it is decoded: %2F in a key is part of the key.
  path.remove_prefix(plugin_prefix.size());
  const auto slash = path.find('/');
  if (slash == std::string_view::npos || slash == 0) return {};
  for (const auto& known : plugin_paths) {
    if (path.substr(slash + 1) == known.path)
      return with_key(known.endpoint, path.substr(0, slash));
  }
  return {};
}

const EndpointRules& rules_of(Endpoint endpoint) {
  for (const auto& rule : rules)
    if (rule.endpoint == endpoint) return rule;
  throw std::logic_error("an endpoint without rules");
}

}  // namespace gateway
