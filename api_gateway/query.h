// The query of a request target: ?tail=100&level=warning.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/sys/failure.h"

namespace gateway {

class Query {
 public:
  /// Of a request target; without a query it is empty. Of a name that is there
  /// twice the last one counts; what cannot be decoded is left out.
  explicit Query(std::string_view target);

  /// Nothing when `name` is not there.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;

  /// `otherwise` when `name` is not there; a failure that names it when it is
  /// no whole number from 0 to `most`.
  [[nodiscard]] supervisor::Outcome<std::uint64_t> number(std::string_view name,
                                                          std::uint64_t otherwise,
                                                          std::uint64_t most) const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace gateway
