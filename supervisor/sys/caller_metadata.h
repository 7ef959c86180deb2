// Under which name the callers of the supervisor's API say who they are.
#pragma once

namespace supervisor::sys {

/// Of gRPC metadata; the value is a serialised v1::Caller.
inline constexpr const char* caller_metadata = "plugin-supervisor-caller-bin";

}  // namespace supervisor::sys
