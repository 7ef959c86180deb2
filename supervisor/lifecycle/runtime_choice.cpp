#include "supervisor/lifecycle/runtime_choice.h"

#include <boost/json.hpp>

namespace supervisor::lifecycle {
namespace {

Failure wrong(const std::string& plugin, const std::string& what) {
  return make_failure(v1::REASON_LAUNCH_FAILED, "profile",
                      "The runtime that plugin '" + plugin + "' asks for is wrong: " + what + ".",
                      "Correct \"runtime\" in the permissions of its plugin.json.", plugin);
}

}  // namespace

Outcome<spawner::RuntimeChoice> runtime_choice(const std::string& permissions_json,
                                               const std::string& profile_option,
                                               const std::string& plugin) {
  spawner::RuntimeChoice choice;
  choice.profile = profile_option;
  if (permissions_json.empty()) return choice;
  boost::json::error_code error;
  const auto permissions = boost::json::parse(permissions_json, error);
  if (error || !permissions.is_object()) return choice;
  const auto* runtime = permissions.get_object().if_contains("runtime");
  if (runtime == nullptr) return choice;
  if (!runtime->is_object()) return wrong(plugin, "it is no object");
  for (const auto& [name, value] : runtime->get_object()) {
    if (name == "gevent") {
      if (!value.is_bool()) return wrong(plugin, "gevent must be true or false");
      choice.gevent = value.get_bool();
    } else if (name == "python" || name == "profile") {
      if (!value.is_string()) return wrong(plugin, std::string(name) + " must be a string");
      const std::string text(value.get_string().data(), value.get_string().size());
      if (text.find('\0') != std::string::npos) return wrong(plugin, "it holds a NUL");
      if (name == "profile") {
        if (choice.profile.empty()) choice.profile = text;
      } else {
        choice.python = text;
        if (!choice.python.is_absolute())
          return wrong(plugin, "python must be the absolute path of an interpreter");
      }
    } else {
      return wrong(plugin, "it has no member '" + std::string(name) + "'");
    }
  }
  return choice;
}

}  // namespace supervisor::lifecycle
