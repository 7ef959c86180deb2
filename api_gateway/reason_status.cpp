#include "api_gateway/reason_status.h"

#include <algorithm>
#include <array>

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;

struct Row {
  v1::Reason reason;
  HttpStatus status;
};

// 500: the plugin's code or files are at fault. 502: its worker was lost under
// the call. 503: the same request may succeed later. 504: it took too long.
constexpr std::array table{
    Row{v1::REASON_INVALID_REQUEST, {400, 0}},
    Row{v1::REASON_UNAUTHENTICATED, {401, 0}},
    Row{v1::REASON_PERMISSION_DENIED, {403, 0}},
    Row{v1::REASON_PLUGIN_NOT_FOUND, {404, 0}},
    Row{v1::REASON_PLUGIN_DISABLED, {403, 0}},
    Row{v1::REASON_REQUEST_TOO_LARGE, {413, 0}},
    Row{v1::REASON_NOT_FOUND, {404, 0}},
    Row{v1::REASON_METHOD_NOT_ALLOWED, {405, 0}},
    Row{v1::REASON_UNSUPPORTED_MEDIA, {415, 0}},
    Row{v1::REASON_REQUEST_TIMEOUT, {408, 0}},

    Row{v1::REASON_STARTING, {503, 1}},
    Row{v1::REASON_NOT_LOADED, {500, 0}},
    Row{v1::REASON_QUARANTINED, {503, 0}},  // An admin must act: no use in retrying.
    Row{v1::REASON_BACKOFF, {503, 1}},
    Row{v1::REASON_STOPPING, {503, 1}},
    Row{v1::REASON_QUEUE_FULL, {429, 1}},

    Row{v1::REASON_PLUGIN_RAISED, {500, 0}},
    Row{v1::REASON_RESULT_NOT_JSON, {500, 0}},
    Row{v1::REASON_RESULT_TOO_LARGE, {500, 0}},
    Row{v1::REASON_DEADLINE_EXCEEDED, {504, 0}},
    Row{v1::REASON_CANCELLED, {503, 0}},
    Row{v1::REASON_NOT_SUPPORTED, {501, 0}},

    Row{v1::REASON_WORKER_KILLED_BY_SIGNAL, {502, 0}},
    Row{v1::REASON_WORKER_EXITED, {502, 0}},
    Row{v1::REASON_LINK_LOST, {502, 0}},
    Row{v1::REASON_CALL_STUCK, {502, 0}},
    Row{v1::REASON_OUT_OF_MEMORY, {502, 0}},
    Row{v1::REASON_TOO_MANY_PROCESSES, {502, 0}},
    Row{v1::REASON_DISK_LIMIT, {502, 0}},
    Row{v1::REASON_CPU_EXHAUSTED, {502, 0}},
    Row{v1::REASON_WORKER_WEDGED, {502, 0}},
    Row{v1::REASON_WORKER_SILENT, {502, 0}},

    Row{v1::REASON_LAUNCH_FAILED, {500, 0}},
    Row{v1::REASON_ATTACH_TIMEOUT, {500, 0}},
    Row{v1::REASON_IMPORT_FAILED, {500, 0}},
    Row{v1::REASON_NO_PLUGIN_CLASS, {500, 0}},
    Row{v1::REASON_CONSTRUCTOR_FAILED, {500, 0}},
    Row{v1::REASON_LOAD_TIMEOUT, {500, 0}},
    Row{v1::REASON_SANDBOX_UNAVAILABLE, {500, 0}},

    Row{v1::REASON_DIRECTORY_UNREADABLE, {500, 0}},
    Row{v1::REASON_SYMLINK_LOOP, {500, 0}},
    Row{v1::REASON_KEY_INVALID, {500, 0}},
    Row{v1::REASON_KEY_DUPLICATE, {500, 0}},
    Row{v1::REASON_FILES_MISSING, {500, 0}},
    Row{v1::REASON_MANIFEST_INVALID, {500, 0}},
    Row{v1::REASON_MANIFEST_TOO_LARGE, {500, 0}},
    Row{v1::REASON_PERMISSIONS_INVALID, {500, 0}},

    Row{v1::REASON_DATABASE_UNAVAILABLE, {503, 2}},
    Row{v1::REASON_SUPERVISOR_UNAVAILABLE, {503, 1}},
    Row{v1::REASON_SHUTTING_DOWN, {503, 1}},
    Row{v1::REASON_MIGRATION_FAILED, {503, 0}},
    Row{v1::REASON_INTERNAL, {500, 0}},
    Row{v1::REASON_NOT_ADOPTED, {502, 0}},
};

const Row* find(v1::Reason reason) {
  const auto* row = std::find_if(table.begin(), table.end(),
                                 [reason](const Row& r) { return r.reason == reason; });
  return row == table.end() ? nullptr : row;
}

}  // namespace

HttpStatus status_of(v1::Reason reason) {
  const Row* row = find(reason);
  return row != nullptr ? row->status : HttpStatus{500, 0};
}

bool has_status(v1::Reason reason) { return find(reason) != nullptr; }

}  // namespace gateway
