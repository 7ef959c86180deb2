// A libpq connection string: checked, completed with time limits, and kept out
// of everything that is shown. Immutable; owned by the store.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "supervisor/sys/failure.h"

namespace supervisor::store {

class ConnectionString {
 public:
  /// Takes a postgresql:// URI or key=value pairs. What they leave open is set
  /// here: connect_timeout, TCP keep-alives, application_name. Fails with
  /// INVALID_REQUEST, in words that quote nothing of a malformed string, since
  /// the part that cannot be told apart may be the password.
  /// `password` is for one that holds none.
  static Outcome<ConnectionString> parse(const std::string& given,
                                         std::chrono::seconds connect_timeout,
                                         const std::string& password = {});

  /// For libpq only: holds the password.
  [[nodiscard]] const std::string& for_libpq() const { return text_; }

  /// A database message as one line, without the password.
  [[nodiscard]] std::string redact(std::string message) const;

 private:
  ConnectionString() = default;

  std::string text_;
  std::vector<std::string> secrets_;
};

}  // namespace supervisor::store
