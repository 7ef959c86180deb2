// An option whose value is a duration.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "supervisor/cli/duration.h"

namespace supervisor::cli {

inline void add_duration_option(CLI::App& parser, const std::string& name,
                                const std::shared_ptr<std::chrono::milliseconds>& value,
                                const std::string& description) {
  parser
      .add_option_function<std::string>(
          name,
          [name, value](const std::string& text) {
            const auto parsed = parse_duration(text);
            if (!parsed)
              throw CLI::ValidationError(
                  name,
                  "\"" + text + "\" is not a duration like 500ms, 30s, 2m or 1h (at most 24h)");
            *value = *parsed;
          },
          description)
      ->type_name("DURATION");
}

}  // namespace supervisor::cli
