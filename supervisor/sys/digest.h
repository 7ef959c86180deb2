// SHA-256, from OpenSSL.
#pragma once

#include <string>
#include <string_view>

namespace supervisor::sys {

/// The 32 bytes of the digest. Throws std::runtime_error when OpenSSL fails.
std::string sha256(std::string_view content);

}  // namespace supervisor::sys
