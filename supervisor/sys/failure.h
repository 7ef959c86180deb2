// Expected failures are values. A Failure (proto) says who, at which step, why
// and what to do next; Outcome<T> is a T or a Failure.
#pragma once

#include <grpcpp/support/status.h>

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

#include "plugin_supervisor/v1/reason.pb.h"

namespace plugin_supervisor::v1 {
// Found by boost::system::result when value() is called on a failure.
[[noreturn]] void throw_exception_from_error(const Failure& failure,
                                             const boost::source_location& where);
}  // namespace plugin_supervisor::v1

namespace supervisor {

namespace v1 = plugin_supervisor::v1;
using v1::Failure;

/// A value, or why there is none. Check has_value() before value().
template <typename T>
using Outcome = boost::system::result<T, Failure>;

/// Builds a Failure. `plugin` and `hint` may be empty.
Failure make_failure(v1::Reason reason, std::string step, std::string message,
                     std::string hint = {}, std::string plugin = {});

/// "plugin_not_found" for REASON_PLUGIN_NOT_FOUND: as in JSON and on the CLI.
std::string reason_code(v1::Reason reason);

/// The same for a state: "load_failed".
std::string lower_without_prefix(std::string_view enum_name, std::string_view prefix);

/// The gRPC status of a failure; the whole Failure is in its details.
grpc::Status to_status(const Failure& failure);

/// The Failure in a status's details. A status without one (the server is
/// gone, a deadline of gRPC itself) becomes SUPERVISOR_UNAVAILABLE or
/// DEADLINE_EXCEEDED.
Failure from_status(const grpc::Status& status);

}  // namespace supervisor
