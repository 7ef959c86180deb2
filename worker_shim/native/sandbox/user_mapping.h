// A user namespace that exists for its mapping of ids alone.
#pragma once

#include <sys/types.h>

namespace plugin_worker::sandbox {

class UserMapping {
 public:
  struct Pair {
    id_t inside;
    id_t outside;
  };
  /// Of one user and one group. Needs CAP_SYS_ADMIN. Throws std::system_error.
  UserMapping(Pair user, Pair group);
  ~UserMapping();
  UserMapping(const UserMapping&) = delete;
  UserMapping& operator=(const UserMapping&) = delete;

  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace plugin_worker::sandbox
