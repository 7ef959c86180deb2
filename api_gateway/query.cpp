#include "api_gateway/query.h"

#include <algorithm>
#include <charconv>

#include "api_gateway/url.h"

namespace gateway {
namespace {

namespace v1 = plugin_supervisor::v1;

// As forms have it: '+' is a space.
std::optional<std::string> decoded(std::string_view part) {
  std::string text(part);
  std::replace(text.begin(), text.end(), '+', ' ');
  return percent_decode(text);
}

}  // namespace

Query::Query(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return;
  auto rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = decoded(pair.substr(0, equals));
    const auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (name && value && !name->empty()) values_[*name] = *value;
  }
}

std::optional<std::string> Query::text(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

supervisor::Outcome<std::uint64_t> Query::number(std::string_view name, std::uint64_t otherwise,
                                                 std::uint64_t most) const {
  const auto value = text(name);
  if (!value) return otherwise;
  std::uint64_t number = 0;
  const auto* const last = value->data() + value->size();
  const auto [end, error] = std::from_chars(value->data(), last, number);
  if (error != std::errc() || end != last || number > most)
    return supervisor::make_failure(v1::REASON_INVALID_REQUEST, "parse",
                                    "'" + std::string(name) +
                                        "' must be a whole number from 0 to " +
                                        std::to_string(most) + ".");
  return number;
}

}  // namespace gateway
