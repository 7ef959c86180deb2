// What a fuzzer holds the code to, beside that no sanitizer finds fault with
// it: where that does not hold, the input is a finding.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace fuzz {

inline void expect(bool holds, const char* what, const std::string& seen = {}) {
  if (holds) return;
  std::fprintf(stderr, "expected that %s: %s\n", what, seen.c_str());
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// `input` cut at each `mark`, into `count` parts at most; those that are not
/// there are empty.
inline std::vector<std::string_view> parts_of(std::string_view input, char mark,
                                              std::size_t count) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count && input.find(mark) != std::string_view::npos) {
    parts.push_back(input.substr(0, input.find(mark)));
    input.remove_prefix(parts.back().size() + 1);
  }
  parts.push_back(input);
  parts.resize(count);
  return parts;
}

}  // namespace fuzz
