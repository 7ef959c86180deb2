#include "supervisor/sys/secret_settings.h"

#include <boost/json.hpp>

#include "supervisor/sys/json_slice.h"

namespace supervisor::sys {
namespace {

namespace json = boost::json;

// Shorter ones are found in every other word.
constexpr std::size_t shortest_hidden = 4;

const std::string quoted_mask = '"' + std::string(secret_mask) + '"';

bool is_password(const json::object& field) {
  const auto* input = field.if_contains("input_type");
  return input != nullptr && input->is_string() && input->get_string() == "password";
}

std::vector<std::string> secret_fields(std::string_view fields) {
  std::vector<std::string> ids;
  // Most plugins have none, and lists of a thousand plugins are asked for often.
  if (fields.find("password") == std::string_view::npos) return ids;
  json::parse_options options;
  options.max_depth = max_json_depth;
  json::error_code error;
  const auto parsed = json::parse({fields.data(), fields.size()}, error, {}, options);
  if (error || !parsed.is_array()) return ids;
  for (const auto& entry : parsed.get_array()) {
    const auto* field = entry.if_object();
    if (field == nullptr || !is_password(*field)) continue;
    const auto* id = field->if_contains("id");
    if (id != nullptr && id->is_string()) ids.emplace_back(id->get_string());
  }
  return ids;
}

void replace(std::string& object, std::string_view member, std::string_view value) {
  object.replace(static_cast<std::size_t>(member.data() - object.data()), member.size(), value);
}

}  // namespace

std::string with_secrets_masked(std::string_view settings, std::string_view fields) {
  std::string masked(settings);
  for (const auto& id : secret_fields(fields)) {
    const auto value = json_member(masked, id);
    if (value && *value != "null" && *value != "\"\"") replace(masked, *value, quoted_mask);
  }
  return masked;
}

std::string with_secrets_kept(std::string wanted, std::string_view stored,
                              std::string_view fields) {
  for (const auto& id : secret_fields(fields)) {
    const auto value = json_member(wanted, id);
    if (!value || *value != quoted_mask) continue;
    replace(wanted, *value, json_member(stored, id).value_or("\"\""));
  }
  return wanted;
}

std::vector<std::string> secret_values(std::string_view settings, std::string_view fields) {
  std::vector<std::string> values;
  for (const auto& id : secret_fields(fields)) {
    const auto value = json_member(settings, id);
    if (!value || value->front() != '"') continue;
    json::error_code error;
    const auto text = json::parse({value->data(), value->size()}, error);
    if (!error && text.get_string().size() >= shortest_hidden)
      values.emplace_back(text.get_string());
  }
  // One may be the beginning of another.
  std::sort(values.begin(), values.end(),
            [](const auto& one, const auto& other) { return one.size() > other.size(); });
  return values;
}

std::string without_secrets(std::string text, const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    for (auto at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + secret_mask.size()))
      text.replace(at, secret.size(), secret_mask);
  }
  return text;
}

}  // namespace supervisor::sys
