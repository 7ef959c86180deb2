#include "supervisor/catalog/metadata_rules.h"

#include <charconv>
#include <limits>

#include "supervisor/catalog/entry_rules.h"
#include "supervisor/catalog/json_document.h"
#include "supervisor/catalog/utf8.h"

namespace supervisor::catalog {
namespace {

namespace json = boost::json;

// Characters that the host's columns hold.
constexpr std::size_t max_name = 255;
constexpr std::size_t max_version = 64;
constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

// `member` as text that a database column takes; nothing when it is absent or
// something else.
std::optional<std::string> text_of(const json::object& object, std::string_view member,
                                   std::size_t max_length, std::vector<std::string>& warnings) {
  const auto* value = object.if_contains(member);
  if (value == nullptr || value->is_null()) return std::nullopt;
  const std::string place(member);
  if (!value->is_string()) {
    add_warning(warnings, place + " ignored: expected text, got " + std::string(kind_of(*value)));
    return std::nullopt;
  }
  const std::string_view text = value->get_string();
  // PostgreSQL has no text with this character.
  if (text.find('\0') != std::string_view::npos) {
    add_warning(warnings, place + " ignored: it holds a NUL character");
    return std::nullopt;
  }
  if (!is_utf8(text)) {
    add_warning(warnings, place + " ignored: it is not valid UTF-8");
    return std::nullopt;
  }
  const auto kept = utf8_prefix(text, max_length);
  if (kept.size() < text.size())
    add_warning(warnings, place + " cut to " + std::to_string(max_length) + " characters");
  return std::string(kept);
}

// Authors write 1.2 without quotes; what they mean is clear.
std::optional<std::string> version_of(const json::object& object,
                                      std::vector<std::string>& warnings) {
  const auto* value = object.if_contains("version");
  if (value != nullptr && value->is_number()) return write_document(*value);
  return text_of(object, "version", max_version, warnings);
}

// The address becomes a link that an admin may click, so a script is refused.
std::optional<std::string> link_of(const json::object& object, std::vector<std::string>& warnings) {
  auto link = text_of(object, "help_url", unlimited, warnings);
  if (!link) return link;
  std::string scheme;
  for (const char c : *link) {
    if (c == ':') break;
    if (c == '/' || c == '?' || c == '#') return link;  // Relative: no scheme.
    scheme += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (scheme.size() == link->size() || scheme == "http" || scheme == "https" || scheme == "mailto")
    return link;
  add_warning(warnings, "help_url ignored: " + quoted(*link) + " is not a web address");
  return std::nullopt;
}

// Nothing when absent, null or false.
const json::object* object_of(const json::object& object, std::string_view member,
                              std::vector<std::string>& warnings) {
  const auto* value = object.if_contains(member);
  if (value == nullptr || value->is_null()) return nullptr;
  if (value->is_bool() && !value->get_bool()) return nullptr;
  if (value->is_object()) return &value->get_object();
  add_warning(warnings, std::string(member) + " ignored: expected an object, got " +
                            std::string(kind_of(*value)));
  return nullptr;
}

void set_navigation(const json::object& object, v1::PluginMetadata& metadata,
                    std::vector<std::string>& warnings) {
  const auto* value = object.if_contains("navigation");
  json::object navigation;
  // True asks for an entry of its own and leaves the rest to us.
  if (value == nullptr || !value->is_bool() || !value->get_bool()) {
    const auto* given = object_of(object, "navigation", warnings);
    if (given == nullptr) return;
    navigation = *given;
    drop_unless_text(navigation, {"label", "icon", "path"}, "navigation", warnings);
  }
  if (!navigation.contains("label") && !metadata.name().empty())
    navigation["label"] = metadata.name();
  metadata.set_navigation_json(write_document(navigation));
}

void set_ui_schema(const json::object& object, v1::PluginMetadata& metadata,
                   std::vector<std::string>& warnings) {
  const auto* schema = object_of(object, "ui", warnings);
  if (schema == nullptr) schema = object_of(object, "ui_schema", warnings);
  if (schema != nullptr) metadata.set_ui_schema_json(write_document(*schema));
}

std::string checked_list(std::string_view text, std::string_view list_name,
                         const EntryRule& is_valid, std::vector<std::string>& warnings) {
  if (text.empty()) return "[]";
  const auto document = parse_document(text);
  if (!document.value) {
    add_warning(warnings, std::string(list_name) + ": not valid JSON (" + document.error + ")");
    return "[]";
  }
  if (document.value->is_null())
    add_warning(warnings, std::string(list_name) + ": expected a list, got nothing");
  return write_document(valid_entries(*document.value, list_name, is_valid, warnings));
}

}  // namespace

void metadata_from_json(const json::object& object, v1::PluginMetadata& metadata,
                        std::vector<std::string>& warnings) {
  if (auto name = text_of(object, "name", max_name, warnings); name && !name->empty())
    metadata.set_name(*std::move(name));
  if (auto version = version_of(object, warnings)) metadata.set_version(*std::move(version));
  if (auto text = text_of(object, "description", unlimited, warnings))
    metadata.set_description(*std::move(text));
  if (auto author = text_of(object, "author", unlimited, warnings))
    metadata.set_author(*std::move(author));
  if (auto link = link_of(object, warnings)) metadata.set_help_url(*std::move(link));
  if (const auto* fields = object.if_contains("fields"))
    metadata.set_fields_json(
        write_document(valid_entries(*fields, "fields", is_valid_field, warnings)));
  if (const auto* actions = object.if_contains("actions"))
    metadata.set_actions_json(
        write_document(valid_entries(*actions, "actions", is_valid_action, warnings)));
  set_ui_schema(object, metadata, warnings);
  set_navigation(object, metadata, warnings);
  if (const auto* pages = object_of(object, "pages", warnings))
    metadata.set_pages_json(write_document(*pages));
  // Unchecked: what is wrong in it must not pass for less being asked.
  if (const auto* permissions = object.if_contains("permissions");
      permissions != nullptr && !permissions->is_null())
    metadata.set_permissions_json(write_document(*permissions));
}

std::string valid_fields(std::string_view fields_json, std::vector<std::string>& warnings) {
  return checked_list(fields_json, "fields", is_valid_field, warnings);
}

std::string valid_actions(std::string_view actions_json, std::vector<std::string>& warnings) {
  return checked_list(actions_json, "actions", is_valid_action, warnings);
}

}  // namespace supervisor::catalog
