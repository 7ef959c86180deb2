#include "supervisor/spawner/profile_file.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <regex>
#include <sstream>

#include "supervisor/sandbox/permissions.h"
#include "supervisor/sandbox/protections.h"
#include "supervisor/sys/file.h"

namespace supervisor::spawner {
namespace {

constexpr std::size_t max_file_bytes = std::size_t{1} << 20;

// The first mistake ends the reading.
class Mistake : public std::runtime_error {
 public:
  Mistake(const toml::source_region& where, const std::string& what)
      : std::runtime_error("line " + std::to_string(where.begin.line) + ": " + what) {}
};

std::string text_of(const toml::node& node, const std::string& name) {
  const auto* text = node.as_string();
  if (text == nullptr || text->get().find('\0') != std::string::npos)
    throw Mistake(node.source(), name + " must be a string");
  return text->get();
}

std::vector<std::string> texts_of(const toml::node& node, const std::string& name) {
  const auto* array = node.as_array();
  if (array == nullptr) throw Mistake(node.source(), name + " must be an array of strings");
  std::vector<std::string> texts;
  texts.reserve(array->size());
  for (const auto& element : *array) texts.push_back(text_of(element, name));
  return texts;
}

bool flag_of(const toml::node& node, const std::string& name) {
  const auto* flag = node.as_boolean();
  if (flag == nullptr) throw Mistake(node.source(), name + " must be true or false");
  return flag->get();
}

std::filesystem::path absolute_of(const toml::node& node, const std::string& text,
                                  const std::string& name) {
  const std::filesystem::path path(text);
  if (!path.is_absolute()) throw Mistake(node.source(), name + " must be an absolute path");
  return path;
}

// Of two of one name, a process finds the first.
void set_variable(std::vector<std::string>& environment, const std::string& name,
                  const std::string& value) {
  const std::string prefix = name + "=";
  std::erase_if(environment, [&](const auto& other) { return other.starts_with(prefix); });
  environment.push_back(prefix + value);
}

void set_environment(RuntimeProfile& profile, const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) throw Mistake(node.source(), "environment must be a table of strings");
  static const std::regex pattern("[A-Za-z_][A-Za-z0-9_]*");
  for (const auto& [key, value] : *table) {
    const std::string name(key.str());
    if (!std::regex_match(name, pattern))
      throw Mistake(value.source(), "'" + name + "' cannot be the name of a variable");
    set_variable(profile.environment, name, text_of(value, "environment." + name));
  }
}

std::string permissions_of(const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) throw Mistake(node.source(), "permissions must be a table");
  std::ostringstream json;
  json << toml::json_formatter(*table);
  const auto permissions = sandbox::parse_permissions(json.str());
  if (permissions.has_error()) throw Mistake(node.source(), permissions.error().message());
  return sandbox::permissions_json(permissions.value());
}

void set_member(RuntimeProfile& profile, const std::string& name, const toml::node& node) {
  if (name == "python") {
    profile.python = absolute_of(node, text_of(node, name), name);
  } else if (name == "path") {
    profile.path.clear();
    for (const auto& directory : texts_of(node, name))
      profile.path.push_back(absolute_of(node, directory, "each entry of path"));
  } else if (name == "preload") {
    profile.preloads = texts_of(node, name);
  } else if (name == "setup") {
    profile.setup = texts_of(node, name);
  } else if (name == "environment") {
    set_environment(profile, node);
  } else if (name == "permissions") {
    profile.permissions_json = permissions_of(node);
  } else if (name == "sandbox") {
    profile.sandbox = text_of(node, name);
    if (const auto modes = sandbox::ProtectionModes().with(profile.sandbox); modes.has_error())
      throw Mistake(node.source(), modes.error().message() + " " + modes.error().hint());
  } else if (name == "compat") {
    profile.compat = flag_of(node, name);
  } else if (name == "gevent") {
    profile.gevent = flag_of(node, name);
  } else {
    throw Mistake(node.source(), "a profile has no member '" + name +
                                     "'; there are python, path, preload, setup, environment, "
                                     "permissions, sandbox, compat and gevent");
  }
}

RuntimeProfile profile_of(const std::string& name, const toml::node& node,
                          const RuntimeProfile& standalone) {
  static const std::regex pattern("[a-z0-9][a-z0-9_-]{0,63}");
  if (!std::regex_match(name, pattern))
    throw Mistake(node.source(), "'" + name +
                                     "' is no name of a profile: 1 to 64 lower case letters, "
                                     "digits, - and _");
  const auto* table = node.as_table();
  if (table == nullptr) throw Mistake(node.source(), "profile." + name + " must be a table");
  RuntimeProfile profile = standalone;
  profile.name = name;
  profile.compat = name == standalone.name && standalone.compat;
  for (const auto& [member, value] : *table) set_member(profile, std::string(member.str()), value);
  return profile;
}

Failure refused(const std::string& why) {
  return make_failure(v1::REASON_INVALID_REQUEST, "profiles", why,
                      "See the section on runtime profiles in the README.");
}

}  // namespace

Outcome<Profiles> parse_profiles(std::string_view text, const RuntimeProfile& standalone) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed)
    return refused("line " + std::to_string(parsed.error().source().begin.line) + ": " +
                   std::string(parsed.error().description()));
  Profiles profiles{{standalone.name, standalone}};
  try {
    for (const auto& [name, node] : parsed.table()) {
      const auto* of_name = node.as_table();
      if (name.str() != "profile" || of_name == nullptr)
        throw Mistake(node.source(), "there is nothing here but tables [profile.NAME]");
      for (const auto& [profile, members] : *of_name)
        profiles.insert_or_assign(std::string(profile.str()),
                                  profile_of(std::string(profile.str()), members, standalone));
    }
  } catch (const Mistake& mistake) {
    return refused(mistake.what());
  }
  return profiles;
}

Outcome<Profiles> read_profiles(const std::filesystem::path& file,
                                const RuntimeProfile& standalone) {
  std::string text;
  try {
    text = sys::read_file(file, max_file_bytes);
  } catch (const std::exception& error) {
    return refused("The runtime profiles cannot be read: " + std::string(error.what()));
  }
  auto profiles = parse_profiles(text, standalone);
  if (profiles.has_value()) return profiles;
  auto failure = profiles.error();
  failure.set_message(file.string() + ", " + failure.message());
  return failure;
}

}  // namespace supervisor::spawner
