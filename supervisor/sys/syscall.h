// One way to make a system call: retried on EINTR, and when it fails, an
// exception that names the call, its subject and the errno.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace supervisor::sys {

/// Calls `call` until it returns something other than -1 with EINTR.
template <typename Call>
auto retry_on_eintr(Call&& call) -> decltype(call()) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

/// std::system_error with the present errno: "open /x: Permission denied".
[[noreturn]] inline void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Returns the result of `call`, or throws std::system_error naming `what`.
template <typename Call>
auto checked(const std::string& what, Call&& call) -> decltype(call()) {
  auto result = retry_on_eintr(std::forward<Call>(call));
  if (result == -1) throw_errno(what);
  return result;
}

}  // namespace supervisor::sys
