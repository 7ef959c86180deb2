// Who asks, as the gateway tells the supervisor for its audit trail.
#pragma once

#include <string>
#include <string_view>

#include "api_gateway/request_head.h"

namespace gateway {

/// What a token is called: "token:" and the first eight hexadecimal digits of
/// its SHA-256, which name it among a few and do not tell what it is.
std::string token_name(std::string_view token);

/// The value of the metadata sys::caller_metadata. `actor` as token_name() gives
/// it, empty = nobody is known; `client` is the address of the client.
std::string serialised_caller(const RequestHead& head, std::string_view actor,
                              std::string_view client);

}  // namespace gateway
