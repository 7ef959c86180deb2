// The JSON that the API shows: plugins, workers, failures. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "plugin_supervisor/v1/plugin.pb.h"
#include "plugin_supervisor/v1/workers_service.pb.h"
#include "supervisor/sys/failure.h"

namespace gateway {

/// Whether settings whose field is a password are shown: to admins alone.
enum class Secrets { masked, shown };

/// Appends the object `P` of the REST contract. `host` is the value of the
/// request's Host header, for the absolute logo_url.
void append_plugin(std::string& out, const plugin_supervisor::v1::Plugin& plugin,
                   std::string_view host, Secrets secrets);

/// Appends "2026-01-02T03:04:05.678Z"; null when the moment never came.
void append_time(std::string& out, std::int64_t unix_ms);

/// Appends a failure as an object:
/// {code, step, message, hint} and, where present, plugin, signal, exit_code
/// and evidence.
void append_failure(std::string& out, const supervisor::Failure& failure);

/// The body of every error answer: {"success": false, "error": text, "code":
/// reason, ...}. The text ends with the hint, since the host's UI shows only it.
std::string error_json(const supervisor::Failure& failure);

/// Appends the object "worker" of the REST contract.
void append_worker(std::string& out, const plugin_supervisor::v1::Worker& worker);

/// Appends one line of a plugin's log.
void append_log_line(std::string& out, const plugin_supervisor::v1::LogLine& line);

/// Appends the story of a plugin's present state.
void append_why(std::string& out, const plugin_supervisor::v1::WhyResponse& why);

}  // namespace gateway
