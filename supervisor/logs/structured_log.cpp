#include "supervisor/logs/structured_log.h"

#include <spdlog/sinks/stdout_sinks.h>

#include <boost/json.hpp>

#include "supervisor/logs/printable_text.h"

namespace supervisor::logs {
namespace {

std::string text_of(const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return printable_text(*text);
  if (const auto* number = std::get_if<long long>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.3f}", *real);
  return std::get<bool>(value) ? "true" : "false";
}

std::string quoted(const std::string& text) {
  if (!text.empty() && text.find_first_of(" =\"") == std::string::npos) return text;
  return boost::json::serialize(boost::json::string(text));
}

// A logger's name carries the format: spdlog has one default logger per
// process, and this keeps the choice beside it instead of in a global of ours.
constexpr const char* json_logger = "json";

}  // namespace

void start_log(LogFormat format, const std::string& level) {
  const bool json = format == LogFormat::json;
  auto logger = std::make_shared<spdlog::logger>(json ? json_logger : "text",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  if (json) {
    logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})");
  } else {
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %-7l %v");
  }
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void log_event(spdlog::level::level_enum level, std::string_view event,
               std::initializer_list<Field> fields) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(level)) return;
  std::string line;
  if (logger->name() == json_logger) {
    line = "\"event\":" + boost::json::serialize(boost::json::string(event));
    for (const auto& field : fields) {
      line += ",\"" + std::string(field.name) + "\":";
      const bool is_text = std::holds_alternative<std::string>(field.value);
      const auto text = text_of(field.value);
      line += is_text ? boost::json::serialize(boost::json::string(text)) : text;
    }
  } else {
    line = event;
    for (const auto& field : fields) {
      line += ' ';
      line += field.name;
      line += '=';
      line += quoted(text_of(field.value));
    }
  }
  logger->log(level, fmt::string_view("{}"), line);
}

}  // namespace supervisor::logs
