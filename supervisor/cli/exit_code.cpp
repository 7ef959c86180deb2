#include "supervisor/cli/exit_code.h"

namespace supervisor::cli {

ExitCode exit_code(v1::Reason reason) {
  switch (reason) {
    case v1::REASON_INVALID_REQUEST:
    case v1::REASON_REQUEST_TOO_LARGE:
    case v1::REASON_METHOD_NOT_ALLOWED:
    case v1::REASON_UNSUPPORTED_MEDIA:
      return ExitCode::usage;

    case v1::REASON_PLUGIN_NOT_FOUND:
    case v1::REASON_NOT_FOUND:
      return ExitCode::not_found;

    case v1::REASON_PLUGIN_DISABLED:
    case v1::REASON_STARTING:
    case v1::REASON_NOT_LOADED:
    case v1::REASON_QUARANTINED:
    case v1::REASON_BACKOFF:
    case v1::REASON_STOPPING:
    case v1::REASON_QUEUE_FULL:
    case v1::REASON_LAUNCH_FAILED:
    case v1::REASON_ATTACH_TIMEOUT:
    case v1::REASON_IMPORT_FAILED:
    case v1::REASON_NO_PLUGIN_CLASS:
    case v1::REASON_CONSTRUCTOR_FAILED:
    case v1::REASON_LOAD_TIMEOUT:
    case v1::REASON_SANDBOX_UNAVAILABLE:
    case v1::REASON_DIRECTORY_UNREADABLE:
    case v1::REASON_SYMLINK_LOOP:
    case v1::REASON_KEY_INVALID:
    case v1::REASON_KEY_DUPLICATE:
    case v1::REASON_FILES_MISSING:
    case v1::REASON_MANIFEST_INVALID:
    case v1::REASON_MANIFEST_TOO_LARGE:
    case v1::REASON_PERMISSIONS_INVALID:
      return ExitCode::not_ready;

    case v1::REASON_DATABASE_UNAVAILABLE:
    case v1::REASON_SUPERVISOR_UNAVAILABLE:
    case v1::REASON_SHUTTING_DOWN:
    case v1::REASON_MIGRATION_FAILED:
      return ExitCode::unreachable;

    case v1::REASON_DEADLINE_EXCEEDED:
    case v1::REASON_REQUEST_TIMEOUT:
      return ExitCode::timed_out;

    default:
      return ExitCode::failed;
  }
}

const std::vector<ExitCodeMeaning>& exit_code_meanings() {
  static const std::vector<ExitCodeMeaning> all = {
      {ExitCode::ok, "done"},
      {ExitCode::failed, "the plugin or the call failed: it raised, crashed, gave no valid result"},
      {ExitCode::usage, "wrong usage or input"},
      {ExitCode::not_found, "no such plugin or job"},
      {ExitCode::not_ready, "the plugin is disabled, not loaded or not ready"},
      {ExitCode::unreachable, "the supervisor (or its database) cannot be reached"},
      {ExitCode::timed_out, "no answer in time"}};
  return all;
}

std::string exit_code_help() {
  std::string text = "Exit status:";
  for (const auto& [code, meaning] : exit_code_meanings())
    text += "\n  " + std::to_string(static_cast<int>(code)) + "  " + meaning;
  return text;
}

}  // namespace supervisor::cli
