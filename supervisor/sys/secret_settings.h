// Settings whose field has the input type "password": what stands in their place
// where they are not to be read, and what that means when it comes back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supervisor::sys {

/// In the place of a value that is not shown. Sent back, it means "as it is".
inline constexpr std::string_view secret_mask = "********";

/// `settings`, a JSON object, without the values of such fields of `fields`, a
/// JSON array. Everything else is as it was, to the byte.
std::string with_secrets_masked(std::string_view settings, std::string_view fields);

/// `wanted` with what is `stored` wherever a mask has come back.
std::string with_secrets_kept(std::string wanted, std::string_view stored, std::string_view fields);

/// The values themselves, those that are text and no mere syllables: what must
/// not be read in a log.
std::vector<std::string> secret_values(std::string_view settings, std::string_view fields);

/// `text` with a mask for each of `secrets` in it.
std::string without_secrets(std::string text, const std::vector<std::string>& secrets);

}  // namespace supervisor::sys
