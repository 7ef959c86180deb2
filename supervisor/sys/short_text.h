// Somebody else's words, cut to what a message has room for.
#pragma once

#include <string>
#include <string_view>

namespace supervisor::sys {

/// `text` up to `most` bytes, then "...". Never cut within a character: valid
/// UTF-8 stays valid, and gRPC lets nothing else through.
std::string shortened(std::string_view text, std::size_t most = 64);

}  // namespace supervisor::sys
