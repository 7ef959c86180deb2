// Secrets, from the kernel.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace supervisor::sys {

/// `size` bytes from getrandom(2). Throws std::system_error.
std::string random_bytes(std::size_t size);

/// Compares without telling by its timing where two secrets differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace supervisor::sys
