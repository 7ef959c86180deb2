// Which endpoint a path names. A pure function over one table.
#pragma once

#include <string>
#include <string_view>

#include "plugin_supervisor/v1/workers_service.pb.h"

namespace gateway {

enum class Endpoint {
  none,       // There is nothing at this path.
  malformed,  // The path holds a broken escape, or is not UTF-8.
  plugins,
  reload,
  settings,
  run,
  enabled,
  logo,
  resource,
  workers,
  worker,
  control,
  dump_stacks,
  options,
  permissions,
  logs,
  jobs,
  job,
  audit,
  healthz,
  readyz,
  metrics,  // The last one: see GatewayMeter.
};

struct Route {
  Endpoint endpoint = Endpoint::none;
  // Of the plugin, or the job's id; decoded. Empty where the path has none.
  std::string key = {};
  // What control is to do; unspecified elsewhere.
  plugin_supervisor::v1::ControlAction action = plugin_supervisor::v1::CONTROL_ACTION_UNSPECIFIED;
};

/// What an endpoint takes.
struct EndpointRules {
  Endpoint endpoint;
  std::string_view allow;  // Methods as in the header Allow.
  bool open;               // Answers without a token.
};

/// `path` as path_of() gives it, with or without the trailing slash.
Route route_of(std::string_view path);

/// The rules of an endpoint other than none and malformed.
const EndpointRules& rules_of(Endpoint endpoint);

}  // namespace gateway
