// What single permissions may say. Pure functions; private to the parsing of
// permissions.
#pragma once

#include <string>
#include <string_view>

namespace supervisor::sandbox {

/// Why `value` is none for the permission `name` ("network.outbound"), as the
/// end of a sentence: "must be an absolute path". Empty when it is fine, or
/// when the permission is no list of texts.
std::string mistake_in(std::string_view name, std::string_view value);

}  // namespace supervisor::sandbox
