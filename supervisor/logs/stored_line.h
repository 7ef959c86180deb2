// A log line as it stands in a file: one JSON object, so that any collector
// reads it.
//
// {"time":"2026-03-01T12:00:00.250113Z","level":"info","source":"stdout",
//  "plugin":"hello","generation":3,"job":"","logger":"","text":"...","number":812}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "plugin_supervisor/v1/workers_service.pb.h"

namespace supervisor::logs {

namespace v1 = plugin_supervisor::v1;

/// A line and its place in the plugin's log: 1, 2, ... for as long as the
/// plugin's files are there.
struct NumberedLine {
  std::uint64_t number = 0;
  v1::LogLine line;
};

/// The object, with a line end. What the line holds must be printable.
std::string stored_line(const std::string& plugin, const NumberedLine& line);

/// Nothing when `json` is no such object: a file may have been cut or edited.
std::optional<NumberedLine> parse_stored_line(std::string_view json);

}  // namespace supervisor::logs
