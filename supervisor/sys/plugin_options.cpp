#include "supervisor/sys/plugin_options.h"

#include <google/protobuf/descriptor.h>

#include <boost/json.hpp>
#include <cmath>
#include <limits>

#include "supervisor/sys/processors.h"
#include "supervisor/sys/short_text.h"

namespace supervisor::sys {
namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;

// A worker needs about this much to load anything at all.
constexpr std::uint64_t least_memory = 32u << 20;
constexpr std::uint32_t least_processes = 16;  // The worker's own threads are among them.
constexpr std::uint32_t least_open_files = 64;
constexpr std::uint32_t longest_ms = 24u * 3600 * 1000;
constexpr std::size_t longest_profile = 64;

Failure invalid(const std::string& field, const std::string& what) {
  return make_failure(v1::REASON_INVALID_REQUEST, "options", "'" + field + "' " + what + ".");
}

json::value value_of(const v1::PluginOptions& options, const FieldDescriptor& field) {
  const auto& reflection = *options.GetReflection();
  if (!reflection.HasField(options, &field)) return nullptr;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(options, &field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(options, &field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(options, &field);
    default:
      return json::value(reflection.GetString(options, &field));
  }
}

// A whole number that is not negative, also when it is written 512.0 or, as
// protobuf writes large ones, "512".
std::optional<std::uint64_t> whole_number(const json::value& value) {
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0)
    return static_cast<std::uint64_t>(value.get_int64());
  if (value.is_double() && value.get_double() >= 0 && value.get_double() < 9e15 &&
      value.get_double() == std::floor(value.get_double()))
    return static_cast<std::uint64_t>(value.get_double());
  if (!value.is_string()) return std::nullopt;
  boost::system::error_code error;
  const auto number = json::parse(value.get_string(), error);
  return error || number.is_string() ? std::nullopt : whole_number(number);
}

// False when `value` does not fit the field.
bool set_value(v1::PluginOptions& options, const FieldDescriptor& field, const json::value& value) {
  const auto& reflection = *options.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32: {
      const auto number = whole_number(value);
      if (!number || *number > std::numeric_limits<std::uint32_t>::max()) return false;
      reflection.SetUInt32(&options, &field, static_cast<std::uint32_t>(*number));
      return true;
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      const auto number = whole_number(value);
      if (!number) return false;
      reflection.SetUInt64(&options, &field, *number);
      return true;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (!value.is_number()) return false;
      reflection.SetDouble(&options, &field, processors(value.to_number<double>()));
      return true;
    default:
      if (!value.is_string()) return false;
      reflection.SetString(&options, &field, std::string(value.get_string()));
      return true;
  }
}

const char* expected(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "must be a number";
    case FieldDescriptor::CPPTYPE_STRING:
      return "must be a string";
    default:
      return "must be a whole number that is not negative";
  }
}

}  // namespace

std::string plugin_options_json(const v1::PluginOptions& options, bool with_unset) {
  json::object object;
  const auto& descriptor = *v1::PluginOptions::descriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    auto value = value_of(options, *descriptor.field(i));
    if (with_unset || !value.is_null())
      object.emplace(descriptor.field(i)->name(), std::move(value));
  }
  return json::serialize(object);
}

Outcome<v1::PluginOptions> with_changes(v1::PluginOptions options, std::string_view changes) {
  boost::system::error_code error;
  const auto parsed = json::parse(json::string_view(changes.data(), changes.size()), error);
  if (error || !parsed.is_object())
    return make_failure(v1::REASON_INVALID_REQUEST, "options",
                        "The options must be a JSON object.");
  for (const auto& member : parsed.get_object()) {
    const std::string name(member.key());
    const auto* field = v1::PluginOptions::descriptor()->FindFieldByName(name);
    if (field == nullptr) return invalid(shortened(name), "is not an option");
    if (member.value().is_null()) {
      options.GetReflection()->ClearField(&options, field);
    } else if (!set_value(options, *field, member.value())) {
      return invalid(name, expected(*field));
    }
  }
  return options;
}

std::optional<Failure> options_failure(const v1::PluginOptions& options) {
  if (options.stop_timeout_ms() > longest_ms) return invalid("stop_timeout_ms", "is over a day");
  if (options.call_timeout_ms() > longest_ms) return invalid("call_timeout_ms", "is over a day");
  if (options.has_call_timeout_ms() && options.call_timeout_ms() == 0)
    return invalid("call_timeout_ms", "must be more than 0");
  if (options.has_max_in_flight() &&
      (options.max_in_flight() == 0 || options.max_in_flight() > 1'000'000))
    return invalid("max_in_flight", "must be between 1 and 1000000");
  if (options.memory_bytes() != 0 && options.memory_bytes() < least_memory)
    return invalid("memory_bytes", "is less than the 32 MiB that a worker needs (0 = no limit)");
  if (options.memory_bytes() > (std::uint64_t{1} << 50))
    return invalid("memory_bytes", "is more than any machine has (0 = no limit)");
  if (options.cpus() != 0 &&
      !(options.cpus() >= least_processors && options.cpus() <= most_processors))
    return invalid("cpus", "must be between 0.01 and 4096 (0 = no limit)");
  if (options.processes() != 0 && options.processes() < least_processes)
    return invalid("processes",
                   "is less than the 16 that a worker needs, its threads included (0 = no limit)");
  if (options.processes() > (1u << 22))
    return invalid("processes", "is more than any machine has (0 = no limit)");
  if (options.open_files() != 0 && options.open_files() < least_open_files)
    return invalid("open_files", "is less than the 64 that a worker needs (0 = no limit)");
  if (options.open_files() > (1u << 20))
    return invalid("open_files", "is over 1048576 (0 = no limit)");
  const auto& profile = options.profile();
  if (profile.size() > longest_profile ||
      profile.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != std::string::npos)
    return invalid("profile", "is not the name of a runtime profile");
  return std::nullopt;
}

}  // namespace supervisor::sys
