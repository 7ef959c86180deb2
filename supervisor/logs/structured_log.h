// The daemon's own log: one event per line, a name and fields, as logfmt for
// people or as JSON for collectors. Written through spdlog.
#pragma once

#include <spdlog/spdlog.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace supervisor::logs {

enum class LogFormat { text, json };

/// Sets up spdlog's default logger on standard error. Called once by main().
/// `level` is one of spdlog's names: "debug", "info", "warn", ...
void start_log(LogFormat format, const std::string& level);

using FieldValue = std::variant<std::string, long long, double, bool>;
struct Field {
  Field(std::string_view field_name, std::string_view text)
      : name(field_name), value(std::string(text)) {}
  Field(std::string_view field_name, const std::string& text) : name(field_name), value(text) {}
  Field(std::string_view field_name, const char* text)
      : name(field_name), value(std::string(text)) {}
  Field(std::string_view field_name, bool truth) : name(field_name), value(truth) {}
  Field(std::string_view field_name, double number) : name(field_name), value(number) {}
  template <typename Integer, std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
  Field(std::string_view field_name, Integer number)
      : name(field_name), value(static_cast<long long>(number)) {}

  std::string_view name;
  FieldValue value;
};

/// log_event(spdlog::level::info, "worker.ready", {{"plugin", key}, {"ms", 12}}).
/// Event names are "noun.verb". Values are made printable here.
void log_event(spdlog::level::level_enum level, std::string_view event,
               std::initializer_list<Field> fields);

}  // namespace supervisor::logs
