#include "supervisor/logs/stored_line.h"

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <ctime>

namespace supervisor::logs {
namespace {

struct Level {
  v1::LogLevel level;
  std::string_view name;
};
constexpr std::array levels{
    Level{v1::LOG_LEVEL_DEBUG, "debug"},       Level{v1::LOG_LEVEL_INFO, "info"},
    Level{v1::LOG_LEVEL_WARNING, "warning"},   Level{v1::LOG_LEVEL_ERROR, "error"},
    Level{v1::LOG_LEVEL_CRITICAL, "critical"},
};

struct Source {
  v1::LogSource source;
  std::string_view name;
};
constexpr std::array sources{
    Source{v1::LOG_SOURCE_LOGGER, "logger"},
    Source{v1::LOG_SOURCE_STDOUT, "stdout"},
    Source{v1::LOG_SOURCE_STDERR, "stderr"},
    Source{v1::LOG_SOURCE_SUPERVISOR, "supervisor"},
};

std::string_view name_of(v1::LogLevel level) {
  for (const auto& known : levels)
    if (known.level == level) return known.name;
  return "info";
}

std::string_view name_of(v1::LogSource source) {
  for (const auto& known : sources)
    if (known.source == source) return known.name;
  return "supervisor";
}

// "2026-03-01T12:00:00.250113Z"
std::string time_text(std::int64_t unix_us) {
  const std::time_t seconds = unix_us / 1'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<int>(unix_us % 1'000'000));
  return text.data();
}

std::optional<std::int64_t> parse_time(const std::string& text) {
  std::tm utc{};
  int microseconds = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%6dZ", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &microseconds) != 7)
    return std::nullopt;
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  return std::int64_t{::timegm(&utc)} * 1'000'000 + microseconds;
}

std::string quoted(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

std::string text_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::uint64_t number_in(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return 0;
  boost::json::error_code error;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

}  // namespace

std::string stored_line(const std::string& plugin, const NumberedLine& numbered) {
  const auto& line = numbered.line;
  std::string json;
  json.reserve(line.text().size() + 200);
  json.append(R"({"time":")").append(time_text(line.time_unix_us()));
  json.append(R"(","level":")").append(name_of(line.level()));
  json.append(R"(","source":")").append(name_of(line.source()));
  json.append(R"(","plugin":)").append(quoted(plugin));
  json.append(R"(,"generation":)").append(std::to_string(line.generation()));
  json.append(R"(,"job":)").append(quoted(line.job()));
  json.append(R"(,"logger":)").append(quoted(line.logger()));
  json.append(R"(,"text":)").append(quoted(line.text()));
  json.append(R"(,"number":)").append(std::to_string(numbered.number)).append("}\n");
  return json;
}

std::optional<NumberedLine> parse_stored_line(std::string_view json) {
  boost::json::error_code error;
  const auto value = boost::json::parse({json.data(), json.size()}, error);
  if (error || !value.is_object()) return std::nullopt;
  const auto& object = value.get_object();
  const auto time = parse_time(text_in(object, "time"));
  if (!time) return std::nullopt;
  NumberedLine numbered;
  numbered.number = number_in(object, "number");
  auto& line = numbered.line;
  line.set_time_unix_us(*time);
  const auto level = text_in(object, "level");
  for (const auto& known : levels)
    if (known.name == level) line.set_level(known.level);
  const auto source = text_in(object, "source");
  for (const auto& known : sources)
    if (known.name == source) line.set_source(known.source);
  line.set_generation(number_in(object, "generation"));
  line.set_job(text_in(object, "job"));
  line.set_logger(text_in(object, "logger"));
  line.set_text(text_in(object, "text"));
  return numbered;
}

}  // namespace supervisor::logs
