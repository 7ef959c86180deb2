// A user namespace that exists for its mapping of ids alone.
#pragma once

#include <sys/types.h>

#include "supervisor/sys/unique_fd.h"

namespace plugin_worker::sandbox {

class UserMapping {
 public:
  struct Pair {
    id_t inside;
    id_t outside;
  };
  /// Of one user and one group. Needs CAP_SYS_ADMIN. Throws std::system_error.
  UserMapping(Pair user, Pair group);

  [[nodiscard]] int fd() const { return namespace_.get(); }

 private:
  supervisor::sys::UniqueFd namespace_;
};

}  // namespace plugin_worker::sandbox
