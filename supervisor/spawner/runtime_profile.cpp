#include "supervisor/spawner/runtime_profile.h"

namespace supervisor::spawner {

std::vector<std::string> interpreter_options(const RuntimeProfile& profile) {
  std::vector<std::string> options;
  options.reserve(2 * (profile.path.size() + profile.preloads.size() + profile.setup.size()) + 2);
  for (const auto& directory : profile.path) {
    options.emplace_back("--path");
    options.push_back(directory.string());
  }
  for (const auto& module : profile.preloads) {
    options.emplace_back("--preload");
    options.push_back(module);
  }
  for (const auto& function : profile.setup) {
    options.emplace_back("--setup");
    options.push_back(function);
  }
  if (profile.compat) options.emplace_back("--compat");
  if (profile.gevent) options.emplace_back("--gevent");
  return options;
}

}  // namespace supervisor::spawner
