#include "supervisor/sys/failure.h"

#include <stdexcept>

#include "supervisor/sys/utf8_prefix.h"

namespace plugin_supervisor::v1 {

void throw_exception_from_error(const Failure& failure, const boost::source_location& where) {
  throw std::logic_error("unchecked failure at " + where.to_string() + ": " + failure.message());
}

}  // namespace plugin_supervisor::v1

namespace supervisor {
namespace {

grpc::StatusCode status_code(v1::Reason reason) {
  switch (reason) {
    case v1::REASON_INVALID_REQUEST:
    case v1::REASON_REQUEST_TOO_LARGE:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case v1::REASON_UNAUTHENTICATED:
      return grpc::StatusCode::UNAUTHENTICATED;
    case v1::REASON_PERMISSION_DENIED:
      return grpc::StatusCode::PERMISSION_DENIED;
    case v1::REASON_PLUGIN_NOT_FOUND:
    case v1::REASON_NOT_FOUND:
      return grpc::StatusCode::NOT_FOUND;
    case v1::REASON_QUEUE_FULL:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case v1::REASON_DEADLINE_EXCEEDED:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case v1::REASON_CANCELLED:
      return grpc::StatusCode::CANCELLED;
    case v1::REASON_DATABASE_UNAVAILABLE:
    case v1::REASON_SHUTTING_DOWN:
    case v1::REASON_STARTING:
    case v1::REASON_BACKOFF:
      return grpc::StatusCode::UNAVAILABLE;
    case v1::REASON_INTERNAL:
      return grpc::StatusCode::INTERNAL;
    default:
      return grpc::StatusCode::FAILED_PRECONDITION;
  }
}

}  // namespace

Failure make_failure(v1::Reason reason, std::string step, std::string message, std::string hint,
                     std::string plugin) {
  Failure failure;
  failure.set_reason(reason);
  failure.set_step(std::move(step));
  failure.set_message(std::move(message));
  failure.set_hint(std::move(hint));
  failure.set_plugin(std::move(plugin));
  return failure;
}

std::string lower_without_prefix(std::string_view enum_name, std::string_view prefix) {
  if (enum_name.starts_with(prefix)) enum_name.remove_prefix(prefix.size());
  std::string text(enum_name);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string reason_code(v1::Reason reason) {
  return lower_without_prefix(v1::Reason_Name(reason), "REASON_");
}

// Status details travel as HTTP/2 trailers, and gRPC refuses header lists of
// more than 8 KiB by default: the oldest evidence gives way first.
grpc::Status to_status(const Failure& failure) {
  constexpr std::size_t max_details = 5000;
  constexpr std::size_t max_message = 1000;
  Failure fitting = failure;
  auto& message = *fitting.mutable_message();
  message.resize(sys::utf8_prefix(message, max_message).size());
  while (fitting.evidence_size() > 0 && fitting.ByteSizeLong() > max_details)
    fitting.mutable_evidence()->DeleteSubrange(0, 1);
  return {status_code(fitting.reason()), "", fitting.SerializeAsString()};
}

Failure from_status(const grpc::Status& status) {
  Failure failure;
  if (!status.error_details().empty() && failure.ParseFromString(status.error_details()) &&
      failure.reason() != v1::REASON_UNSPECIFIED)
    return failure;
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return make_failure(v1::REASON_DEADLINE_EXCEEDED, "call",
                          "The supervisor did not answer in time.");
    case grpc::StatusCode::CANCELLED:
      return make_failure(v1::REASON_CANCELLED, "call", "The call was cancelled.");
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return make_failure(v1::REASON_REQUEST_TOO_LARGE, "call", status.error_message());
    case grpc::StatusCode::UNAVAILABLE:
      return make_failure(v1::REASON_SUPERVISOR_UNAVAILABLE, "connect",
                          "The supervisor cannot be reached: " + status.error_message(),
                          "Check that plugin-supervisor runs, and the socket's path.");
    default:
      return make_failure(v1::REASON_INTERNAL, "call", status.error_message());
  }
}

}  // namespace supervisor
