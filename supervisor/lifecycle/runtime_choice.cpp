#include "supervisor/lifecycle/runtime_choice.h"

namespace supervisor::lifecycle {

spawner::RuntimeChoice runtime_choice(const plugin_supervisor::v1::Permissions& permissions,
                                      const std::string& profile_option) {
  const auto& asked = permissions.runtime();
  return {.profile = profile_option.empty() ? asked.profile() : profile_option,
          .python = asked.python(),
          .gevent = asked.gevent()};
}

}  // namespace supervisor::lifecycle
