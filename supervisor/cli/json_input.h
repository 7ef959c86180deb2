// JSON that the command line gives: the text itself, @FILE, or - for stdin.
#pragma once

#include <istream>
#include <string>

#include "supervisor/sys/failure.h"

namespace supervisor::cli {

/// The largest input read from a file or stdin, in bytes.
inline constexpr std::size_t max_json_input = 64u << 20;

/// The JSON object that `argument` of `option` stands for, byte for byte.
Outcome<std::string> read_json_object(const std::string& option, const std::string& argument,
                                      std::istream& in);

}  // namespace supervisor::cli
