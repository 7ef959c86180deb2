#include "supervisor/sandbox/permissions.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <optional>

#include "supervisor/sandbox/destination.h"
#include "supervisor/sandbox/permission_rules.h"
#include "supervisor/sys/processors.h"
#include "supervisor/sys/short_text.h"

namespace supervisor::sandbox {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using sys::shortened;

namespace {

constexpr int most_entries = 256;  // Of one list.
// They are told to the worker through a pipe, and stand in the record of its launch.
constexpr std::size_t most_bytes = 16u << 10;
constexpr std::string_view root = "permissions";
constexpr std::string_view no_privilege = "runtime";

std::string joined(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : std::string(path) + "." + std::string(name);
}

/// A whole number that a field can hold, or nothing.
std::optional<std::uint32_t> whole_number(const json::value& value) {
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  if (value.is_int64() && value.get_int64() >= 0 && value.get_int64() <= most)
    return static_cast<std::uint32_t>(value.get_int64());
  if (value.is_double() && value.get_double() >= 0 && value.get_double() <= most &&
      value.get_double() == std::floor(value.get_double()))
    return static_cast<std::uint32_t>(value.get_double());
  return std::nullopt;
}

const char* mistake_in_number(std::string_view name, std::uint32_t number) {
  if (name == "network.listen" && (number < 1 || number > 65535))
    return "must be a port, 1 to 65535";
  // What a worker needs to load anything at all; see sys/plugin_options.cpp.
  if (name == "limits.memory_mb" && number < 32) return "must be at least 32";
  if (name == "limits.processes" && number < 16) return "must be at least 16";
  if (name == "limits.open_files" && number < 64) return "must be at least 64";
  if (name == "limits.disk_mb" && number < 1) return "must be at least 1";
  return nullptr;
}

/// Fills a message with what stands in a JSON object; the first mistake ends it.
class Reader {
 public:
  [[nodiscard]] const std::string& mistake() const { return mistake_; }

  bool read(const json::object& object, Message& message, const std::string& path) {
    for (const auto& member : object) {
      const std::string name(member.key());
      const auto* field = message.GetDescriptor()->FindFieldByName(name);
      const auto place = joined(path, shortened(name));
      if (field == nullptr) return wrong(place, "is not a permission there is");
      if (member.value().is_null()) continue;
      if (!read_field(member.value(), message, *field, place)) return false;
    }
    return true;
  }

  bool set(const json::value& value, Message& message, const FieldDescriptor& field,
           const std::string& name, const std::string& place) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT32: {
        const auto number = whole_number(value);
        if (!number) return wrong(place, "must be a whole number");
        if (const auto* mistake = mistake_in_number(name, *number)) return wrong(place, mistake);
        field.is_repeated() ? reflection.AddUInt32(&message, &field, *number)
                            : reflection.SetUInt32(&message, &field, *number);
        return true;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        const double number = value.is_number() ? sys::processors(value.to_number<double>()) : 0;
        if (!(number >= sys::least_processors && number <= sys::most_processors))
          return wrong(place, "must be a number from 0.01 to 4096");
        reflection.SetDouble(&message, &field, number);
        return true;
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        if (!value.is_bool()) return wrong(place, "must be true or false");
        reflection.SetBool(&message, &field, value.get_bool());
        return true;
      default:
        return set_text(value, message, field, name, place);
    }
  }

 private:
  bool read_field(const json::value& value, Message& message, const FieldDescriptor& field,
                  const std::string& place) {
    const auto& reflection = *message.GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!value.is_object()) return wrong(place, "must be an object");
      return read(value.get_object(), *reflection.MutableMessage(&message, &field), place);
    }
    if (!field.is_repeated()) return set(value, message, field, place, place);
    if (!value.is_array()) return wrong(place, "must be a list");
    if (value.get_array().size() > most_entries)
      return wrong(place, "must not have over " + std::to_string(most_entries) + " entries");
    std::size_t index = 0;
    for (const auto& entry : value.get_array()) {
      const auto spot = place + "[" + std::to_string(index++) + "]";
      if (!set(entry, message, field, place, spot)) return false;
    }
    return true;
  }

  bool set_text(const json::value& value, Message& message, const FieldDescriptor& field,
                const std::string& name, const std::string& place) {
    const auto& reflection = *message.GetReflection();
    std::string text;
    // A port may be written as the number it is.
    if (const auto number = whole_number(value); number && name == "network.outbound") {
      text = std::to_string(*number);
    } else if (value.is_string()) {
      text.assign(value.get_string().data(), value.get_string().size());
    } else {
      return wrong(place, "must be text");
    }
    if (const auto mistake = mistake_in(name, text); !mistake.empty()) return wrong(place, mistake);
    field.is_repeated() ? reflection.AddString(&message, &field, std::move(text))
                        : reflection.SetString(&message, &field, std::move(text));
    return true;
  }

  bool wrong(const std::string& place, const std::string& what) {
    mistake_ = joined(root, place) + " " + what;
    return false;
  }

  std::string mistake_;
};

std::string number_text(double number) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), end};
}

/// The values of a field that is no message; an unset one has none.
std::vector<std::string> values_of(const Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  std::vector<std::string> values;
  const int count = field.is_repeated() ? reflection.FieldSize(message, &field)
                                        : (reflection.HasField(message, &field) ? 1 : 0);
  for (int i = 0; i < count; ++i) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT32:
        values.push_back(std::to_string(field.is_repeated()
                                            ? reflection.GetRepeatedUInt32(message, &field, i)
                                            : reflection.GetUInt32(message, &field)));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        values.push_back(number_text(reflection.GetDouble(message, &field)));
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        values.emplace_back("true");
        break;
      default:
        values.push_back(field.is_repeated() ? reflection.GetRepeatedString(message, &field, i)
                                             : reflection.GetString(message, &field));
    }
  }
  return values;
}

using Visit = std::function<void(Message&, const FieldDescriptor&, const std::string& name)>;

/// Every field that is no message, by its name from the top.
void visit_fields(Message& message, const std::string& path, const Visit& visit) {
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    const auto name = joined(path, field.name());
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      visit(message, field, name);
    } else if (name != no_privilege) {
      visit_fields(*message.GetReflection()->MutableMessage(&message, &field), name, visit);
    }
  }
}

json::value value_json(const FieldDescriptor& field, const std::string& text) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_BOOL:
      return json::parse(text);
    default:
      return json::value(text);
  }
}

json::object object_of(const Message& message) {
  json::object object;
  const auto& descriptor = *message.GetDescriptor();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const auto& field = *descriptor.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      auto inner = object_of(message.GetReflection()->GetMessage(message, &field));
      if (!inner.empty()) object.emplace(field.name(), std::move(inner));
      continue;
    }
    const auto values = values_of(message, field);
    if (values.empty()) continue;
    if (!field.is_repeated()) {
      object.emplace(field.name(), value_json(field, values.front()));
      continue;
    }
    json::array list;
    for (const auto& value : values) list.push_back(value_json(field, value));
    object.emplace(field.name(), std::move(list));
  }
  return object;
}

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

/// An address of this machine or of a private network, and a name that may stand
/// for one, is meant by none but itself and its network.
bool covers_destination(const std::string& granted, const std::string& asked) {
  const auto allowed = parse_destination(granted);
  const auto wanted = parse_destination(asked);
  if (!allowed || !wanted || (allowed->port != 0 && allowed->port != wanted->port)) return false;
  if (allowed->range) return wanted->range && allowed->range->contains(*wanted->range);
  if (!allowed->name.empty()) return allowed->name == wanted->name;
  if (!wanted->name.empty()) return wanted->name.find('.') != std::string::npos;
  return !wanted->range ||
         std::none_of(private_ranges().begin(), private_ranges().end(),
                      [&](const AddressRange& range) { return range.contains(*wanted->range); });
}

/// A limit as terms have it. Not std::stod(), which throws for what is too small.
double number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

bool covers(const Term& granted, const Term& asked) {
  if (granted.name == "filesystem.write" && asked.name == "filesystem.read")
    return is_below(asked.value, granted.value);
  if (granted.name != asked.name) return false;
  if (granted.name.starts_with("filesystem.")) return is_below(asked.value, granted.value);
  if (granted.name.starts_with("limits.")) return number(asked.value) <= number(granted.value);
  if (granted.name == "network.outbound") return covers_destination(granted.value, asked.value);
  return granted.value == asked.value;
}

Failure invalid_term(const std::string& message) {
  return make_failure(v1::REASON_INVALID_REQUEST, "permissions", message,
                      "A permission is written like network.listen=9192 or "
                      "filesystem.write=/data/exports.");
}

/// Keeps of the fields what `keep` is true for.
void filter(v1::Permissions& permissions, const std::function<bool(const Term&)>& keep) {
  visit_fields(permissions, "",
               [&keep](Message& message, const FieldDescriptor& field, const std::string& name) {
                 const auto values = values_of(message, field);
                 message.GetReflection()->ClearField(&message, &field);
                 Reader reader;
                 for (const auto& value : values) {
                   if (keep({name, value}))
                     reader.set(value_json(field, value), message, field, name, name);
                 }
               });
}

}  // namespace

Outcome<v1::Permissions> parse_permissions(std::string_view text) {
  v1::Permissions permissions;
  if (text.empty()) return permissions;
  const auto invalid = [](const std::string& message) {
    return make_failure(v1::REASON_PERMISSIONS_INVALID, "permissions", message + ".",
                        "Correct \"permissions\" in its plugin.json.");
  };
  boost::system::error_code error;
  const auto parsed = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !parsed.is_object()) return invalid(std::string(root) + " must be an object");
  Reader reader;
  if (!reader.read(parsed.get_object(), permissions, "")) return invalid(reader.mistake());
  if (permissions.ByteSizeLong() > most_bytes)
    return invalid(std::string(root) + " must be shorter: " + std::to_string(most_bytes) +
                   " bytes at most");
  return permissions;
}

std::string permissions_json(const v1::Permissions& permissions) {
  return json::serialize(object_of(permissions));
}

std::vector<Term> terms(const v1::Permissions& permissions) {
  std::vector<Term> found;
  auto copy = permissions;
  visit_fields(copy, "",
               [&found](Message& message, const FieldDescriptor& field, const std::string& name) {
                 for (auto& value : values_of(message, field))
                   found.push_back({name, std::move(value)});
               });
  return found;
}

Outcome<v1::Permissions> with_terms(v1::Permissions permissions,
                                    const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      return invalid_term("\"" + shortened(text) + "\" says no value.");
    const Term term{text.substr(0, equals), text.substr(equals + 1)};
    Reader reader;
    bool found = false;
    bool taken = true;
    visit_fields(permissions, "",
                 [&](Message& message, const FieldDescriptor& field, const std::string& name) {
                   if (name != term.name) return;
                   found = true;
                   const auto before = values_of(message, field);
                   if (field.is_repeated() &&
                       std::find(before.begin(), before.end(), term.value) != before.end())
                     return;
                   boost::system::error_code error;
                   json::value value(term.value);
                   if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING)
                     value = json::parse(term.value, error);
                   taken =
                       reader.set(error ? json::value(nullptr) : value, message, field, name, name);
                 });
    if (!found) return invalid_term("There is no permission \"" + shortened(term.name) + "\".");
    if (!taken) return invalid_term(reader.mistake() + ": \"" + shortened(term.value) + "\".");
  }
  return permissions;
}

Outcome<v1::Permissions> without_terms(v1::Permissions permissions,
                                       const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    const auto count = terms(permissions).size();
    filter(permissions,
           [&text](const Term& term) { return term.name != text && term.text() != text; });
    if (terms(permissions).size() == count)
      return invalid_term("\"" + shortened(text) + "\" is not granted.");
  }
  return permissions;
}

v1::Permissions not_granted(const v1::Permissions& asked, const v1::Permissions& granted) {
  auto missing = asked;
  missing.clear_runtime();
  const auto allowed = terms(granted);
  filter(missing, [&allowed](const Term& term) {
    return std::none_of(allowed.begin(), allowed.end(),
                        [&term](const Term& grant) { return covers(grant, term); });
  });
  return missing;
}

v1::Permissions united(v1::Permissions one, const v1::Permissions& other) {
  std::vector<std::string> texts;
  for (const auto& term : terms(not_granted(other, one))) texts.push_back(term.text());
  return with_terms(std::move(one), texts).value();  // They were valid.
}

bool is_empty(const v1::Permissions& permissions) { return terms(permissions).empty(); }

std::vector<std::string> term_texts(const v1::Permissions& permissions) {
  std::vector<std::string> texts;
  for (const auto& term : terms(permissions)) texts.push_back(term.text());
  return texts;
}

bool is_network_granted(const v1::Permissions& permissions) {
  const auto& network = permissions.network();
  return network.outbound_size() > 0 || network.listen_size() > 0;
}

}  // namespace supervisor::sandbox
